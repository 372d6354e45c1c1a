// Contract of `parallel`, phases recompute and offload: a wrapped unit gives the bits of the bare
// one, forward and backward, dropout included.
#include "mortise/torch/parallel.hpp"

#include "suites.hpp"
#include "tools.hpp"

namespace mortise::conform {

namespace {

const void* example_args(Factory&) {
  static const ParallelArgs instance{2};
  return &instance;
}

bool wraps_units(const Parallel& strategy) {
  return strategy.phase() == ParallelPhase::Recompute || strategy.phase() == ParallelPhase::Offload;
}

struct Result {
  at::Tensor y, x_grad, weight_grad;
};

/// One unit with a weight, dropout and an auxiliary loss, forward and backward.
Result run(Factory& f, Parallel* strategy, int64_t layer) {
  const at::Tensor weight_DD = randn({kWidth, kWidth}, f.seed()).set_requires_grad(true);
  UnitRunner unit = [weight_DD](const BlockInput& in) {
    BlockOutput out;
    const at::Tensor x = at::matmul(in.x_BTD, weight_DD);
    out.x_BTD = at::dropout(x, 0.3, /*train=*/true);
    out.losses.push_back({"aux", x.square().mean()});
    return out;
  };
  if (strategy != nullptr) unit = strategy->wrap(layer, std::move(unit));
  at::manual_seed(f.seed());
  BlockInput in = plain_input(randn({2, 5, kWidth}, f.seed() + 1));
  in.x_BTD.set_requires_grad(true);
  const BlockOutput out = unit(in);
  (out.x_BTD.square().sum() + out.losses.at(0).value).backward();
  return {out.x_BTD.detach(), in.x_BTD.grad(), weight_DD.grad()};
}

void changes_no_bit(Factory& f) {
  const auto strategy = make<Parallel>(f, {2});
  if (!wraps_units(*strategy)) skip("it is no strategy that wraps units");
  for (const int64_t layer : {0, 1}) {
    const Result bare = run(f, nullptr, layer), wrapped = run(f, strategy.get(), layer);
    expect_equal_bits(wrapped.y, bare.y, "the unit's output");
    expect_equal_bits(wrapped.x_grad, bare.x_grad, "the gradient of the input");
    expect_equal_bits(wrapped.weight_grad, bare.weight_grad, "the gradient of the weight");
  }
}

void works_without_a_gradient(Factory& f) {
  const auto strategy = make<Parallel>(f, {2});
  if (!wraps_units(*strategy)) skip("it is no strategy that wraps units");
  const at::NoGradGuard no_grad;
  const UnitRunner unit = strategy->wrap(0, [](const BlockInput& in) {
    BlockOutput out;
    out.x_BTD = in.x_BTD + 1;
    return out;
  });
  const BlockInput in = plain_input(randn({1, 3, kWidth}, f.seed()));
  expect_equal_bits(unit(in).x_BTD, in.x_BTD + 1, "the unit's output");
}

}  // namespace

Suite parallel_suite() {
  return {"parallel",
          example_args,
          {{"a wrapped unit gives the same bits, forward and backward", changes_no_bit},
           {"a wrapped unit works without a gradient", works_without_a_gradient}}};
}

}  // namespace mortise::conform
