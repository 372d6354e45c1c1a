#include "postnorm.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "tests/support/layer_fakes.hpp"

using namespace mortise::test;
using mortise::BlockInput;
using mortise::layer::postnorm::Postnorm;

namespace {

Postnorm make_postnorm(LayerHost& host, const char* norm_of, const char* own_norm = nullptr) {
  auto config = layer_config<Postnorm::Config>(host, own_norm);
  config.norm_of = norm_of;
  return Postnorm(config, layer_args());
}

}  // namespace

TEST_SUITE("layer.postnorm") {
  TEST_CASE("normalises the sums, or the parts before they are added") {
    LayerHost host;
    const BlockInput in = input_of(at::full({1, 1, 1}, 3.0));
    // h = 2 (3 + 4) = 14;  y = 2 (14 + 14²) = 420
    CHECK(make_postnorm(host, "sum").forward(in).x_BTD.item<double>() == 420);
    // h = 3 + 2·4 = 11;  y = 11 + 2·11² = 253
    CHECK(make_postnorm(host, "part").forward(in).x_BTD.item<double>() == 253);
    CHECK(in.x_BTD.item<double>() == 3);
    CHECK(host.norm_type == "model_norm");
  }

  TEST_CASE("a norm that adds makes both sums, and the result is the same") {
    LayerHost host;
    host.norms_add = true;
    const BlockInput in = input_of(at::full({1, 1, 1}, 3.0));
    CHECK(make_postnorm(host, "sum").forward(in).x_BTD.item<double>() == 420);
    CHECK(host.sums == 2);
    CHECK(make_postnorm(host, "part").forward(in).x_BTD.item<double>() == 253);
    CHECK(host.sums == 2);
  }

  TEST_CASE("its own norm wins over the model's") {
    LayerHost host;
    const Postnorm layer = make_postnorm(host, "sum", "own_norm");
    CHECK(host.norm_type == "own_norm");
  }

  TEST_CASE("names its parts as OLMo 2 does") {
    LayerHost host;
    Postnorm layer = make_postnorm(host, "part");
    CHECK(paths_of(layer) == " self_attn post_attention_layernorm mlp post_feedforward_layernorm ");
  }
}
