#include "learned.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::PositionArgs;
using mortise::position::learned::Learned;

namespace {

PositionArgs args_of(int64_t width) {
  PositionArgs args;
  args.width = width;
  return args;
}

}  // namespace

TEST_SUITE("position.learned") {
  TEST_CASE("adds the row of each position, and sums the gradients of repeated ones") {
    Learned position({.max_positions = 3}, args_of(2));
    const at::Tensor weight = position.parameters()[0].tensor;
    weight.detach().copy_(at::arange(6, at::kFloat).view({3, 2}));
    const at::Tensor x = at::ones({1, 3, 2});
    const at::Tensor y = position.embed(x, at::tensor({0, 2, 0}, at::kLong).view({1, 3}));
    CHECK(at::equal(y.detach(), at::tensor({1.f, 2.f, 5.f, 6.f, 1.f, 2.f}).view({1, 3, 2})));
    CHECK(at::equal(x, at::ones({1, 3, 2})));
    y.sum().backward();
    CHECK(at::equal(weight.grad(), at::tensor({2.f, 2.f, 0.f, 0.f, 1.f, 1.f}).view({3, 2})));
  }

  TEST_CASE("queries and keys are not turned") {
    Learned position({.max_positions = 3}, args_of(2));
    const at::Tensor q = at::ones({1, 1, 1, 4});
    CHECK(at::equal(position.rotate(q, q, at::full({1, 1}, 2, at::kLong)).first, q));
  }

  TEST_CASE("a position beyond the table is an error that tells both numbers") {
    Learned position({.max_positions = 3}, args_of(2));
    CHECK_THROWS_WITH_AS(position.embed(at::ones({1, 1, 2}), at::full({1, 1}, 3, at::kLong)),
                         doctest::Contains("reaches 4 tokens, and there are 3 learned positions"),
                         mortise::Error);
  }

  TEST_CASE("an attention cannot use it") {
    PositionArgs args;
    args.head_dim = 4;
    CHECK_THROWS_WITH_AS(Learned({.max_positions = 3}, args),
                         doctest::Contains("position = { type = \"none\" } to the attention"),
                         mortise::Error);
  }
}
