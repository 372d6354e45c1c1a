#include "gelu.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::FfnArgs;
using mortise::ffn::gelu::Gelu;

namespace {

double by_hand(const std::string& form, double x) {
  if (form == "exact") return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
  return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

}  // namespace

TEST_SUITE("ffn.gelu") {
  TEST_CASE("matches the formula written by hand, in both forms") {
    for (const std::string form : {"exact", "tanh"}) {
      CAPTURE(form);
      FfnArgs args;
      args.width = 1;
      Gelu ffn({.hidden = 2, .bias = true, .form = form}, args);
      // up 2x+1, −x;  down 3a − b + 5
      const auto parameters = ffn.parameters();
      REQUIRE(parameters.size() == 4);
      parameters[0].tensor.detach().flatten().copy_(at::tensor({2.f, -1.f}));
      parameters[1].tensor.detach().copy_(at::tensor({1.f, 0.f}));
      parameters[2].tensor.detach().flatten().copy_(at::tensor({3.f, -1.f}));
      parameters[3].tensor.detach().fill_(5);
      const double x = 0.7;
      const double expected = 3 * by_hand(form, 2 * x + 1) - by_hand(form, -x) + 5;
      const at::Tensor y = ffn.forward(at::full({1, 1}, x)).detach();
      CHECK(y.item<double>() == doctest::Approx(expected).epsilon(1e-6));
    }
  }

  TEST_CASE("marks its last projection as residual, and has no bias when told so") {
    FfnArgs args;
    args.width = 4;
    const Gelu ffn({.hidden = 6, .bias = false}, args);
    const auto parameters = ffn.parameters();
    REQUIRE(parameters.size() == 2);
    CHECK(parameters[0].name == "up_proj.weight");
    CHECK_FALSE(parameters[0].init.residual);
    CHECK(parameters[1].name == "down_proj.weight");
    CHECK(parameters[1].init.residual);
  }
}
