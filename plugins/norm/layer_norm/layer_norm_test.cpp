#include "layer_norm.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::NormArgs;
using mortise::norm::layer_norm::LayerNorm;

namespace {

NormArgs args_of(int64_t width) {
  NormArgs args;
  args.width = width;
  return args;
}

}  // namespace

TEST_SUITE("norm.layer_norm") {
  TEST_CASE("matches the formula written by hand") {
    for (const bool bias : {true, false}) {
      CAPTURE(bias);
      LayerNorm norm({.eps = 0.5, .bias = bias}, args_of(3));
      const double w[] = {1, 2, -1}, b[] = {0.25, -0.5, 3};
      norm.parameters()[0].tensor.detach().copy_(at::tensor({1.0f, 2.0f, -1.0f}));
      if (bias) norm.parameters()[1].tensor.detach().copy_(at::tensor({0.25f, -0.5f, 3.0f}));
      const at::Tensor y = norm.forward(at::tensor({1.0f, 2.0f, 6.0f}).view({1, 3})).detach();
      const double x[] = {1, 2, 6}, mean = 3, variance = (4.0 + 1 + 9) / 3;  // over D, not D − 1
      for (int64_t i = 0; i < 3; ++i)
        CHECK(y[0][i].item<double>() ==
              doctest::Approx(w[i] * (x[i] - mean) / std::sqrt(variance + 0.5) + (bias ? b[i] : 0))
                  .epsilon(1e-6));
    }
  }

  TEST_CASE("starts as weight one and bias zero, and has no bias when told so") {
    const LayerNorm norm({}, args_of(5));
    const auto parameters = norm.parameters();
    REQUIRE(parameters.size() == 2);
    CHECK(parameters[0].name == "weight");
    CHECK((parameters[0].init.kind == mortise::Init::Kind::Ones));
    CHECK(parameters[1].name == "bias");
    CHECK((parameters[1].init.kind == mortise::Init::Kind::Zeros));
    CHECK(LayerNorm({.bias = false}, args_of(5)).parameters().size() == 1);
  }

  TEST_CASE("statistics of a half-precision input are not half precision") {
    NormArgs args = args_of(256);
    args.build.dtype = at::kBFloat16;
    LayerNorm norm({.bias = false}, args);
    norm.parameters()[0].tensor.detach().fill_(1);
    at::Tensor x = at::full({1, 256}, 300.0, at::kBFloat16);
    x.narrow(1, 0, 128).fill_(302);
    const at::Tensor y = norm.forward(x).detach().to(at::kFloat);
    CHECK((y.abs() - 1).abs().max().item<float>() < 4e-3f);
  }
}
