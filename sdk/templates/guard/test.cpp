#include <doctest/doctest.h>
#include <mortise/guard.hpp>
#include <mortise/testing.hpp>

TEST_CASE("it warns above the limit only") {
  const auto guard = mortise::testing::make<mortise::Guard>("@NAME@", {});
  CHECK(guard->before_update({1, 2.0, 99.0, 1e-3}).action == mortise::GuardAction::None);
  CHECK(guard->before_update({2, 2.0, 101.0, 1e-3}).action == mortise::GuardAction::Warn);
}
