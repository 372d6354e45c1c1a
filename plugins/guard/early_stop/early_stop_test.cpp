#include "early_stop.hpp"

#include <doctest/doctest.h>

using mortise::GuardAction;
using mortise::guard::early_stop::EarlyStop;

TEST_SUITE("guard.early_stop") {
  TEST_CASE("stops after three evaluations without a better score") {
    EarlyStop guard({.metric = "ppl.perplexity"});
    for (const double value : {50.0, 40.0, 41.0, 40.0})
      CHECK(guard.observe(10, "ppl.perplexity", value).action == GuardAction::None);
    const auto verdict = guard.observe(50, "ppl.perplexity", 40.5);
    CHECK(verdict.action == GuardAction::Stop);
    CHECK(
        verdict.message ==
        "ppl.perplexity was not better than 40 (step 10) in 3 evaluations; it is 40.5 at step 50");
  }

  TEST_CASE("looks at its own score only") {
    EarlyStop guard({.metric = "ppl.perplexity", .patience = 1});
    guard.observe(1, "ppl.perplexity", 40);
    CHECK(guard.observe(2, "rouge.rouge1", 0.1).action == GuardAction::None);
  }

  TEST_CASE("more may be better") {
    EarlyStop guard({.metric = "m.f1", .mode = "max", .patience = 1});
    CHECK(guard.observe(1, "m.f1", 0.5).action == GuardAction::None);
    CHECK(guard.observe(2, "m.f1", 0.6).action == GuardAction::None);
    CHECK(guard.observe(3, "m.f1", 0.6).action == GuardAction::Stop);
  }

  TEST_CASE("a gain below min_delta is none") {
    EarlyStop guard({.metric = "l.loss", .patience = 1, .min_delta = 0.1});
    guard.observe(1, "l.loss", 2.0);
    CHECK(guard.observe(2, "l.loss", 1.95).action == GuardAction::Stop);
  }

  TEST_CASE("stops when the target is reached") {
    EarlyStop guard({.metric = "l.loss", .target = 1.5});
    CHECK(guard.observe(1, "l.loss", 1.6).action == GuardAction::None);
    CHECK(guard.observe(2, "l.loss", 1.5).action == GuardAction::Stop);
  }
}
