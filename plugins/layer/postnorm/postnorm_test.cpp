#include "postnorm.hpp"

#include <string>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::BlockInput;
using mortise::LayerArgs;
using mortise::Use;
using mortise::Value;
using mortise::layer::postnorm::Postnorm;

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

Postnorm make_postnorm(FakeHost& host, const char* norm_of, const char* own_norm = nullptr) {
  LayerArgs args;
  args.norm = table_of("model_norm");
  Postnorm::Config config;
  config.attention = Use<mortise::Attention>(table_of("a"), &host);
  config.ffn = Use<mortise::Ffn>(table_of("f"), &host);
  if (own_norm != nullptr) config.norm = Use<mortise::Norm>(table_of(own_norm), &host);
  config.norm_of = norm_of;
  return Postnorm(config, args);
}

}  // namespace

TEST_SUITE("layer.postnorm") {
  TEST_CASE("normalises the sums, or the parts before they are added") {
    FakeHost host;
    BlockInput in;
    in.x_BTD = at::full({1, 1, 1}, 3.0);
    // h = 2 (3 + 4) = 14;  y = 2 (14 + 14²) = 420
    CHECK(make_postnorm(host, "sum").forward(in).x_BTD.item<double>() == 420);
    // h = 3 + 2·4 = 11;  y = 11 + 2·11² = 253
    CHECK(make_postnorm(host, "part").forward(in).x_BTD.item<double>() == 253);
    CHECK(in.x_BTD.item<double>() == 3);
    CHECK(host.norm_type == "model_norm");
  }

  TEST_CASE("its own norm wins over the model's") {
    FakeHost host;
    const Postnorm layer = make_postnorm(host, "sum", "own_norm");
    CHECK(host.norm_type == "own_norm");
  }

  TEST_CASE("names its parts as OLMo 2 does") {
    FakeHost host;
    Postnorm layer = make_postnorm(host, "part");
    std::string paths;
    layer.visit([&](const std::string& path, mortise::Module&) { paths += path + " "; });
    CHECK(paths == " self_attn post_attention_layernorm mlp post_feedforward_layernorm ");
  }
}
