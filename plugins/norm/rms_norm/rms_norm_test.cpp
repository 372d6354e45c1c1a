#include "rms_norm.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::NormArgs;
using mortise::norm::rms_norm::RmsNorm;

TEST_SUITE("norm.rms_norm") {
  TEST_CASE("matches the formula written by hand") {
    NormArgs args;
    args.width = 3;
    RmsNorm norm({.eps = 0.5}, args);
    at::Tensor weight = norm.parameters()[0].tensor.detach();
    weight.copy_(at::tensor({1.0f, 2.0f, -1.0f}));
    const at::Tensor y = norm.forward(at::tensor({1.0f, 2.0f, 4.0f}).view({1, 3})).detach();
    const double scale = 1 / std::sqrt((1.0 + 4 + 16) / 3 + 0.5);
    const double expected[] = {1 * scale, 4 * scale, -4 * scale};
    for (int64_t i = 0; i < 3; ++i)
      CHECK(y[0][i].item<double>() == doctest::Approx(expected[i]).epsilon(1e-6));
  }

  TEST_CASE("has one weight that starts at one") {
    NormArgs args;
    args.width = 5;
    const RmsNorm norm({}, args);
    REQUIRE(norm.parameters().size() == 1);
    CHECK(norm.parameters()[0].name == "weight");
    CHECK((norm.parameters()[0].init.kind == mortise::Init::Kind::Ones));
  }

  TEST_CASE("statistics of a half-precision input are not half precision") {
    NormArgs args;
    args.width = 256;
    args.build.dtype = at::kBFloat16;
    RmsNorm norm({}, args);
    norm.parameters()[0].tensor.detach().fill_(1);
    const at::Tensor x =
        at::full({1, 256}, 300.0, at::kBFloat16);  // 300² · 256 needs more than 8 bits
    const at::Tensor y = norm.forward(x).detach();
    CHECK((y.scalar_type() == at::kBFloat16));
    CHECK((y.to(at::kFloat) - 1).abs().max().item<float>() < 4e-3f);
  }
}
