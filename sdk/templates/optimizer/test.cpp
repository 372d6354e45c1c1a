#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/optimizer.hpp>

TEST_CASE("a step moves against the gradient by lr") {
  mortise::Slot slot;
  slot.param = at::ones({2});
  slot.grad = at::full({2}, 3.0);
  slot.lr = 0.5;
  const auto optimizer = mortise::testing::make<mortise::Optimizer>("@NAME@", mortise::Slots({slot}));
  optimizer->step({});
  CHECK(slot.param.equal(at::full({2}, 0.5)));
}
