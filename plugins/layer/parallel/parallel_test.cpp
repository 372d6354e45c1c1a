#include "parallel.hpp"

#include <string>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::BlockInput;
using mortise::LayerArgs;
using mortise::Use;
using mortise::Value;
using mortise::layer::parallel::Parallel;

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
    ++norms_made;
    return static_cast<mortise::Norm*>(new Doubling);
  }

  std::string norm_type;
  int64_t norms_made = 0;
};

Value table_of(const char* type) {
  Value table = Value::table();
  table["type"] = type;
  return table;
}

Parallel make_parallel(FakeHost& host, bool shared_norm, const char* own_norm = nullptr) {
  LayerArgs args;
  args.norm = table_of("model_norm");
  Parallel::Config config;
  config.attention = Use<mortise::Attention>(table_of("a"), &host);
  config.ffn = Use<mortise::Ffn>(table_of("f"), &host);
  if (own_norm != nullptr) config.norm = Use<mortise::Norm>(table_of(own_norm), &host);
  config.shared_norm = shared_norm;
  return Parallel(config, args);
}

std::string paths_of(Parallel& layer) {
  std::string paths;
  layer.visit([&](const std::string& path, mortise::Module&) { paths += path + " "; });
  return paths;
}

}  // namespace

TEST_SUITE("layer.parallel") {
  TEST_CASE("adds both parts, each of its norm of the same input") {
    for (const bool shared_norm : {false, true}) {
      CAPTURE(shared_norm);
      FakeHost host;
      Parallel layer = make_parallel(host, shared_norm);
      BlockInput in;
      in.x_BTD = at::full({1, 1, 1}, 3.0);
      // 3 + (6 + 1) + 6² = 46
      CHECK(layer.forward(in).x_BTD.item<double>() == 46);
      CHECK(in.x_BTD.item<double>() == 3);
      CHECK(host.norm_type == "model_norm");
      CHECK(host.norms_made == (shared_norm ? 1 : 2));
    }
  }

  TEST_CASE("its own norm wins over the model's") {
    FakeHost host;
    const Parallel layer = make_parallel(host, false, "own_norm");
    CHECK(host.norm_type == "own_norm");
  }

  TEST_CASE("names its parts as the pre-normalised layer does") {
    FakeHost host;
    Parallel two = make_parallel(host, false), one = make_parallel(host, true);
    CHECK(paths_of(two) == " input_layernorm self_attn post_attention_layernorm mlp ");
    CHECK(paths_of(one) == " input_layernorm self_attn mlp ");
  }
}
