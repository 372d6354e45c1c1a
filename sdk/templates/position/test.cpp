#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/position.hpp>

TEST_CASE("the first token stays as it is") {
  const auto position = mortise::testing::make<mortise::Position>("@NAME@", {.build = {}, .head_dim = 4});
  const at::Tensor k = at::ones({1, 2, 1, 4});
  const auto rotated = position->rotate(k, k, at::arange(2).view({1, 2})).second;
  CHECK(rotated.select(1, 0).equal(k.select(1, 0)));
  CHECK(!rotated.select(1, 1).equal(k.select(1, 1)));
}
