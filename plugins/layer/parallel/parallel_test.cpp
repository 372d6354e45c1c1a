#include "parallel.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "tests/support/layer_fakes.hpp"

using namespace mortise::test;
using mortise::BlockInput;
using mortise::layer::parallel::Parallel;

namespace {

Parallel make_parallel(LayerHost& host, bool shared_norm, const char* own_norm = nullptr) {
  auto config = layer_config<Parallel::Config>(host, own_norm);
  config.shared_norm = shared_norm;
  return Parallel(config, layer_args());
}

}  // namespace

TEST_SUITE("layer.parallel") {
  TEST_CASE("adds both parts, each of its norm of the same input") {
    for (const bool shared_norm : {false, true}) {
      CAPTURE(shared_norm);
      LayerHost host;
      Parallel layer = make_parallel(host, shared_norm);
      const BlockInput in = input_of(at::full({1, 1, 1}, 3.0));
      // 3 + (6 + 1) + 6² = 46
      CHECK(layer.forward(in).x_BTD.item<double>() == 46);
      CHECK(in.x_BTD.item<double>() == 3);
      CHECK(host.norm_type == "model_norm");
      CHECK(host.norms_made == (shared_norm ? 1 : 2));
    }
  }

  TEST_CASE("its own norm wins over the model's") {
    LayerHost host;
    const Parallel layer = make_parallel(host, false, "own_norm");
    CHECK(host.norm_type == "own_norm");
  }

  TEST_CASE("names its parts as the pre-normalised layer does") {
    LayerHost host;
    Parallel two = make_parallel(host, false), one = make_parallel(host, true);
    CHECK(paths_of(two) == " input_layernorm self_attn post_attention_layernorm mlp ");
    CHECK(paths_of(one) == " input_layernorm self_attn mlp ");
  }
}
