#include "nan.hpp"

#include <cmath>

#include <doctest/doctest.h>

using mortise::GuardAction;
using mortise::guard::nan::Nan;

TEST_SUITE("guard.nan") {
  TEST_CASE("says nothing about finite steps") {
    Nan guard({});
    CHECK(guard.before_update({1, 2.5, 1.0, 1e-3}).action == GuardAction::None);
  }

  TEST_CASE("skips a step whose loss is no number, and names it") {
    Nan guard({});
    const auto verdict = guard.before_update({7, std::nan(""), 1.0, 1e-3});
    CHECK(verdict.action == GuardAction::Skip);
    CHECK(verdict.message == "the loss is nan at step 7");
  }

  TEST_CASE("sees an infinite gradient norm") {
    Nan guard({.action = "rollback"});
    const auto verdict = guard.before_update({3, 1.0, INFINITY, 1e-3});
    CHECK(verdict.action == GuardAction::Rollback);
    CHECK(verdict.message == "the gradient norm is inf at step 3");
  }

  TEST_CASE("stops after too many in a row, and a good step begins anew") {
    Nan guard({.action = "skip", .patience = 2});
    CHECK(guard.before_update({1, NAN, 1, 1}).action == GuardAction::Skip);
    CHECK(guard.before_update({2, 1, 1, 1}).action == GuardAction::None);
    CHECK(guard.before_update({3, NAN, 1, 1}).action == GuardAction::Skip);
    CHECK(guard.before_update({4, NAN, 1, 1}).action == GuardAction::Stop);
  }
}
