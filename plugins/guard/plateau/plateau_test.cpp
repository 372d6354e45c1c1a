#include "plateau.hpp"

#include <doctest/doctest.h>

using mortise::GuardAction;
using mortise::guard::plateau::Plateau;

namespace {

mortise::GuardVerdict feed(Plateau& guard, double loss, int64_t steps) {
  mortise::GuardVerdict last;
  for (int64_t i = 0; i < steps; ++i) last = guard.before_update({i + 1, loss, 1, 1});
  return last;
}

}  // namespace

TEST_SUITE("guard.plateau") {
  TEST_CASE("says so when a window is no better than the one before") {
    Plateau guard({.window = 10, .min_gain = 0.01});
    CHECK(feed(guard, 3.0, 10).action == GuardAction::None);
    CHECK(feed(guard, 2.9, 10).action == GuardAction::None);
    const auto verdict = feed(guard, 2.89, 10);
    CHECK(verdict.action == GuardAction::Warn);
    CHECK(verdict.message ==
          "the mean loss of the last 10 steps is 2.89, that of the 10 before was 2.9; expected 1 % "
          "less");
  }

  TEST_CASE("judges whole windows only") {
    Plateau guard({.window = 10});
    feed(guard, 3.0, 10);
    CHECK(feed(guard, 3.0, 9).action == GuardAction::None);
    CHECK(feed(guard, 3.0, 1).action == GuardAction::Warn);
  }
}
