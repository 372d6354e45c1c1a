#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/objective.hpp>

#include <cmath>

struct FlatHead final : mortise::Head {
  at::Tensor logits(const at::Tensor& hidden_ND) override { return at::zeros({hidden_ND.size(0), 4}); }
};

TEST_CASE("equal scores cost log V a token") {
  FlatHead head;
  mortise::ObjectiveInput in;
  in.hidden_ND = at::ones({3, 2});
  in.head = &head;
  in.targets_N = at::zeros({3}, at::kLong);
  const auto out = mortise::testing::make<mortise::Objective>("@NAME@", {}, {{"chunk", 2}})->forward(in);
  CHECK(std::abs(out.loss_sum.item<double>() - 3 * std::log(4.0)) < 1e-5);
}
