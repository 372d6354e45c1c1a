#include "constant.hpp"

#include <doctest/doctest.h>

using mortise::schedule::constant::Constant;

TEST_SUITE("schedule.constant") {
  TEST_CASE("without warm-up the factor is 1 from the first step") {
    const Constant schedule({}, {.total_steps = 10});
    CHECK(schedule.factor(0) == 1.0);
    CHECK(schedule.factor(1'000'000) == 1.0);
  }

  TEST_CASE("warm-up is linear from 0 and ends at its step") {
    const Constant schedule({.warmup = 4}, {.total_steps = 10});
    CHECK(schedule.factor(0) == 0.0);
    CHECK(schedule.factor(1) == 0.25);
    CHECK(schedule.factor(3) == 0.75);
    CHECK(schedule.factor(4) == 1.0);
  }

  TEST_CASE("a fraction counts from all steps") {
    const Constant schedule({.warmup = 0.1}, {.total_steps = 200});
    CHECK(schedule.factor(10) == 0.5);
    CHECK(schedule.factor(20) == 1.0);
  }

  TEST_CASE("a number that is neither is refused") {
    CHECK_THROWS_WITH_AS(Constant({.warmup = 1.5}, {.total_steps = 10}),
                         "warmup: expected whole steps or a fraction below 1, got 1.5",
                         mortise::Error);
  }
}
