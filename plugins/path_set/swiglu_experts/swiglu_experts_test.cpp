#include "swiglu_experts.hpp"

#include <cmath>
#include <memory>
#include <vector>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::PathSetArgs;
using mortise::path_set::swiglu_experts::SwigluExperts;

namespace {

constexpr int64_t kWidth = 5, kHidden = 7, kExperts = 3;

std::unique_ptr<SwigluExperts> make_experts(at::ScalarType dtype = at::kFloat) {
  PathSetArgs args;
  args.build.dtype = dtype;
  args.width = kWidth;
  args.num_paths = kExperts;
  auto experts = std::make_unique<SwigluExperts>(SwigluExperts::Config{{}, kHidden}, args);
  at::manual_seed(6);
  for (const auto& parameter : experts->parameters())
    parameter.tensor.detach().copy_(at::randn(parameter.tensor.sizes()));
  return experts;
}

/// One expert of ATen's operations in double.
at::Tensor slow_expert(const SwigluExperts& experts, int64_t e, const at::Tensor& x_MD) {
  const auto parameters = experts.parameters();
  const auto w = [&](size_t i) { return parameters[i].tensor.detach().to(at::kDouble)[e]; };
  const at::Tensor x = x_MD.to(at::kDouble);
  const at::Tensor gate = at::matmul(x, w(0).t());
  return at::matmul(gate * at::sigmoid(gate) * at::matmul(x, w(1).t()), w(2).t());
}

}  // namespace

TEST_SUITE("path_set.swiglu_experts") {
  TEST_CASE("each expert works on its segment, also an empty one") {
    const auto made = make_experts();
    SwigluExperts& experts = *made;
    const at::Tensor x_MD = at::randn({9, kWidth});
    const std::vector<int64_t> borders = {0, 4, 4, 9};
    const at::Tensor y_MD = experts.run_tokens(x_MD, borders).detach();
    CHECK(at::allclose(y_MD.narrow(0, 0, 4),
                       slow_expert(experts, 0, x_MD.narrow(0, 0, 4)).to(at::kFloat),
                       1e-5,
                       1e-5));
    CHECK(at::allclose(y_MD.narrow(0, 4, 5),
                       slow_expert(experts, 2, x_MD.narrow(0, 4, 5)).to(at::kFloat),
                       1e-5,
                       1e-5));
  }

  TEST_CASE("weights are packed by expert under the names of Hugging Face") {
    const auto made = make_experts();
    const SwigluExperts& experts = *made;
    const auto parameters = experts.parameters();
    REQUIRE(parameters.size() == 3);
    CHECK(parameters[0].name == "gate_proj.weight");
    CHECK(parameters[1].name == "up_proj.weight");
    CHECK(parameters[2].name == "down_proj.weight");
    CHECK(parameters[0].tensor.sizes() == at::IntArrayRef({kExperts, kHidden, kWidth}));
    CHECK(parameters[2].tensor.sizes() == at::IntArrayRef({kExperts, kWidth, kHidden}));
    CHECK(parameters[2].init.residual);
  }

  TEST_CASE("an expert without rows gets a gradient of zeros") {
    const auto made = make_experts();
    SwigluExperts& experts = *made;
    experts.run_tokens(at::randn({4, kWidth}), std::vector<int64_t>{0, 4, 4, 4}).sum().backward();
    const at::Tensor grad = experts.parameters()[0].tensor.grad();
    CHECK(grad[0].abs().max().item<double>() > 0);
    CHECK(grad[1].abs().max().item<double>() == 0);
  }

  TEST_CASE("borders that do not cover the rows are refused") {
    const auto made = make_experts();
    SwigluExperts& experts = *made;
    CHECK_THROWS_WITH_AS(
        experts.run_tokens(at::randn({4, kWidth}), std::vector<int64_t>{0, 1, 2, 3}),
        doctest::Contains("must cover 4 rows"),
        mortise::Error);
  }
}
