#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/parallel.hpp>

TEST_CASE("a wrapped unit gives what the unit gives") {
  const auto strategy = mortise::testing::make<mortise::Parallel>("@NAME@", {.num_layers = 1});
  const auto unit = strategy->wrap(0, [](const mortise::BlockInput& in) {
    mortise::BlockOutput out;
    out.x_BTD = in.x_BTD * 2;
    return out;
  });
  mortise::BlockInput in;
  in.x_BTD = at::ones({1, 2, 4});
  CHECK(unit(in).x_BTD.equal(at::full({1, 2, 4}, 2.0)));
}
