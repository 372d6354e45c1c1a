#include "prenorm.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "tests/support/layer_fakes.hpp"

using namespace mortise::test;
using mortise::BlockInput;
using mortise::layer::prenorm::Prenorm;

TEST_SUITE("layer.prenorm") {
  TEST_CASE("adds both parts to the residual stream, each after its norm") {
    LayerHost host;
    Prenorm layer(layer_config<Prenorm::Config>(host), layer_args());
    const BlockInput in = input_of(at::full({1, 1, 1}, 3.0));
    // h = 3 + (6 + 1) = 10;  y = 10 + 20² = 410
    CHECK(layer.forward(in).x_BTD.item<double>() == 410);
    CHECK(in.x_BTD.item<double>() == 3);
    CHECK(host.norm_type == "model_norm");
  }

  TEST_CASE("a norm that adds makes the first sum, and the result is the same") {
    LayerHost host;
    host.norms_add = true;
    Prenorm layer(layer_config<Prenorm::Config>(host), layer_args());
    CHECK(layer.forward(input_of(at::full({1, 1, 1}, 3.0))).x_BTD.item<double>() == 410);
    CHECK(host.sums == 1);
  }

  TEST_CASE("its own norm wins over the model's") {
    LayerHost host;
    const Prenorm layer(layer_config<Prenorm::Config>(host, "own_norm"), layer_args());
    CHECK(host.norm_type == "own_norm");
  }

  TEST_CASE("names its parts as Hugging Face does") {
    LayerHost host;
    Prenorm layer(layer_config<Prenorm::Config>(host), layer_args());
    CHECK(paths_of(layer) == " input_layernorm self_attn post_attention_layernorm mlp ");
  }
}
