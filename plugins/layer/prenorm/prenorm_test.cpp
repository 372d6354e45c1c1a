#include "prenorm.hpp"

#include <string>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::AttentionArgs;
using mortise::BlockInput;
using mortise::FfnArgs;
using mortise::LayerArgs;
using mortise::NormArgs;
using mortise::Use;
using mortise::Value;
using mortise::layer::prenorm::Prenorm;

namespace {

struct Doubling final : mortise::Norm {
  at::Tensor forward(const at::Tensor& x) override { return 2 * x; }
};

struct PlusOne final : mortise::Attention {
  at::Tensor forward(const BlockInput& in) override { return in.x_BTD + 1; }
};

struct Square final : mortise::Ffn {
  at::Tensor forward(const at::Tensor& x) override { return x * x; }
};

/// Makes the three fakes by interface; remembers which norm table it was asked for.
struct FakeHost final : mortise::Host {
  void* make(std::string_view interface_id, const Value& config, const void*) override {
    if (interface_id == mortise::Attention::kInterface)
      return static_cast<mortise::Attention*>(new PlusOne);
    if (interface_id == mortise::Ffn::kInterface) return static_cast<mortise::Ffn*>(new Square);
    norm_type = config.get("type", "");
    return static_cast<mortise::Norm*>(new Doubling);
  }

  std::string norm_type;
};

Value table_of(const char* type) {
  Value table = Value::table();
  table["type"] = type;
  return table;
}

}  // namespace

TEST_SUITE("layer.prenorm") {
  TEST_CASE("adds both parts to the residual stream, each after its norm") {
    FakeHost host;
    LayerArgs args;
    args.norm = table_of("model_norm");
    Prenorm layer({Use<mortise::Attention>(table_of("a"), &host),
                   Use<mortise::Ffn>(table_of("f"), &host),
                   {}},
                  args);
    BlockInput in;
    in.x_BTD = at::full({1, 1, 1}, 3.0);
    // h = 3 + (6 + 1) = 10;  y = 10 + 20² = 410
    CHECK(layer.forward(in).x_BTD.item<double>() == 410);
    CHECK(in.x_BTD.item<double>() == 3);
    CHECK(host.norm_type == "model_norm");
  }

  TEST_CASE("its own norm wins over the model's") {
    FakeHost host;
    LayerArgs args;
    args.norm = table_of("model_norm");
    const Prenorm layer({Use<mortise::Attention>(table_of("a"), &host),
                         Use<mortise::Ffn>(table_of("f"), &host),
                         Use<mortise::Norm>(table_of("own_norm"), &host)},
                        args);
    CHECK(host.norm_type == "own_norm");
  }

  TEST_CASE("names its parts as Hugging Face does") {
    FakeHost host;
    LayerArgs args;
    args.norm = table_of("n");
    Prenorm layer({Use<mortise::Attention>(table_of("a"), &host),
                   Use<mortise::Ffn>(table_of("f"), &host),
                   {}},
                  args);
    std::string paths;
    layer.visit([&](const std::string& path, mortise::Module&) { paths += path + " "; });
    CHECK(paths == " input_layernorm self_attn post_attention_layernorm mlp ");
  }
}
