#include "loss_spike.hpp"

#include <cmath>

#include <doctest/doctest.h>

using mortise::GuardAction;
using mortise::guard::loss_spike::LossSpike;

namespace {

/// Feeds losses 3 ± 0.1 in a fixed pattern.
void feed(LossSpike& guard, int64_t steps) {
  for (int64_t i = 1; i <= steps; ++i)
    REQUIRE(guard.before_update({i, 3 + 0.1 * std::sin(double(i)), 1, 1}).action ==
            GuardAction::None);
}

}  // namespace

TEST_SUITE("guard.loss_spike") {
  TEST_CASE("calls a jump a spike and says how far it is") {
    LossSpike guard({});
    feed(guard, 60);
    const auto verdict = guard.before_update({61, 9.0, 1, 1});
    CHECK(verdict.action == GuardAction::Skip);
    CHECK(verdict.message.find("jumped to 9 at step 61; the median of the last 60 steps is") !=
          std::string::npos);
  }

  TEST_CASE("a falling loss is no spike") {
    LossSpike guard({});
    feed(guard, 60);
    CHECK(guard.before_update({61, 0.1, 1, 1}).action == GuardAction::None);
  }

  TEST_CASE("keeps silent before it has seen enough") {
    LossSpike guard({});
    feed(guard, 49);
    CHECK(guard.before_update({50, 9.0, 1, 1}).action == GuardAction::None);
  }

  TEST_CASE("a spike does not become the measure of the next one") {
    LossSpike guard({});
    feed(guard, 60);
    for (int64_t step = 61; step < 80; ++step)
      CHECK(guard.before_update({step, 9.0, 1, 1}).action == GuardAction::Skip);
  }

  TEST_CASE("a constant loss may wobble by a thousandth") {
    LossSpike guard({});
    for (int64_t step = 1; step <= 60; ++step) guard.before_update({step, 2.0, 1, 1});
    CHECK(guard.before_update({61, 2.005, 1, 1}).action == GuardAction::None);
    CHECK(guard.before_update({62, 2.5, 1, 1}).action == GuardAction::Skip);
  }
}
