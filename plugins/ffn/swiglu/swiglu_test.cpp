#include "swiglu.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::FfnArgs;
using mortise::ffn::swiglu::Swiglu;

TEST_SUITE("ffn.swiglu") {
  TEST_CASE("matches the formula written by hand") {
    FfnArgs args;
    args.width = 1;
    Swiglu ffn({.hidden = 2, .bias = true}, args);
    // gate 2x+1, −x;  up 3x, x−2;  down a − b + 5
    const float values[][2] = {{2, -1}, {1, 0}, {3, 1}, {0, -2}, {1, -1}};
    const auto parameters = ffn.parameters();
    REQUIRE(parameters.size() == 6);
    for (size_t i = 0; i < 5; ++i)
      parameters[i].tensor.detach().flatten().copy_(at::tensor({values[i][0], values[i][1]}));
    parameters[5].tensor.detach().fill_(5);
    const double x = 0.7;
    const auto silu = [](double v) { return v / (1 + std::exp(-v)); };
    const double expected = silu(2 * x + 1) * 3 * x - silu(-x) * (x - 2) + 5;
    const at::Tensor y = ffn.forward(at::full({1, 1}, x)).detach();
    CHECK(y.item<double>() == doctest::Approx(expected).epsilon(1e-6));
  }

  TEST_CASE("names its projections as Hugging Face does and marks the last as residual") {
    FfnArgs args;
    args.width = 4;
    const Swiglu ffn({.hidden = 6, .bias = false}, args);
    const auto parameters = ffn.parameters();
    REQUIRE(parameters.size() == 3);
    CHECK(parameters[0].name == "gate_proj.weight");
    CHECK(parameters[1].name == "up_proj.weight");
    CHECK(parameters[2].name == "down_proj.weight");
    CHECK(parameters[2].init.residual);
    CHECK_FALSE(parameters[0].init.residual);
  }
}
