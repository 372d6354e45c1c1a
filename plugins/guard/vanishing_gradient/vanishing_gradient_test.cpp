#include "vanishing_gradient.hpp"

#include <cmath>

#include <doctest/doctest.h>

using mortise::GuardAction;
using mortise::guard::vanishing_gradient::VanishingGradient;

TEST_SUITE("guard.vanishing_gradient") {
  TEST_CASE("speaks at the third small norm in a row") {
    VanishingGradient guard({});
    CHECK(guard.before_update({1, 1, 1e-7, 1}).action == GuardAction::None);
    CHECK(guard.before_update({2, 1, 1e-7, 1}).action == GuardAction::None);
    const auto verdict = guard.before_update({3, 1, 1e-7, 1});
    CHECK(verdict.action == GuardAction::Warn);
    CHECK(verdict.message == "the gradient norm is below 1e-06 for 3 steps (1e-07 at step 3)");
  }

  TEST_CASE("a larger norm between them begins anew") {
    VanishingGradient guard({});
    for (const double norm : {1e-7, 1e-7, 1e-3, 1e-7, 1e-7})
      CHECK(guard.before_update({1, 1, norm, 1}).action == GuardAction::None);
  }

  TEST_CASE("a norm that is no number is not small") {
    VanishingGradient guard({.patience = 1});
    CHECK(guard.before_update({1, 1, NAN, 1}).action == GuardAction::None);
  }
}
