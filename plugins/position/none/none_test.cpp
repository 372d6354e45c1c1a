#include "none.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

TEST_SUITE("position.none") {
  TEST_CASE("gives back what it gets, at any position") {
    mortise::position::none::None none;
    const at::Tensor q = at::arange(12, at::kFloat).view({1, 2, 3, 2}), k = q + 1;
    const at::Tensor far = at::full({1, 2}, 1000, at::kLong);
    const auto [turned_q, turned_k] = none.rotate(q, k, far);
    CHECK(at::equal(turned_q, q));
    CHECK(at::equal(turned_k, k));
    const at::Tensor x = at::ones({1, 2, 4});
    CHECK(at::equal(none.embed(x, far), x));
    CHECK(none.parameters().empty());
  }
}
