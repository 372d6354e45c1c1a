#include <doctest/doctest.h>
#include <mortise/schedule.hpp>
#include <mortise/testing.hpp>

TEST_CASE("it starts at one and falls") {
  const auto schedule = mortise::testing::make<mortise::Schedule>("@NAME@", {.total_steps = 10});
  CHECK(schedule->factor(0) == 1.0);
  CHECK(schedule->factor(9) < schedule->factor(1));
}
