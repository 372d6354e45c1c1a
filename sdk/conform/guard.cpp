// Contract of `guard`: lets a healthy run go on, answers any numbers, explains itself, is restored
// by its state.
#include "mortise/guard.hpp"

#include <cmath>
#include <limits>

#include "mortise/fixtures.hpp"

#include "suites.hpp"

namespace mortise::conform {

namespace {

/// A run that learns: the loss falls from 5 to 2 with a little noise, gradients are of order 1.
GuardStep healthy(int64_t step) {
  const auto x = static_cast<double>(step);
  return {step, 2 + 3 * std::exp(-x / 300) + 0.02 * std::sin(7 * x), 1 + 0.2 * std::cos(x), 1e-3};
}

void leaves_a_healthy_run_alone(Factory& f) {
  const auto guard = make<Guard>(f);
  for (int64_t step = 1; step <= 500; ++step) {
    const GuardVerdict verdict = guard->before_update(healthy(step));
    MORTISE_EXPECT(verdict.action == GuardAction::None,
                   "it acts at step {} of a run that learns: {}",
                   step,
                   verdict.message);
    if (step % 50 != 0) continue;
    MORTISE_EXPECT(guard->observe(step, "dev.loss", healthy(step).loss).action == GuardAction::None,
                   "it acts on a falling score at step {}",
                   step);
  }
}

void answers_any_numbers(Factory& f) {
  const auto guard = make<Guard>(f);
  constexpr double kInf = std::numeric_limits<double>::infinity();
  int64_t step = 0;
  const auto explained = [](const GuardVerdict& verdict) {
    MORTISE_EXPECT(verdict.action == GuardAction::None || !verdict.message.empty(),
                   "it acts without a message");
    MORTISE_EXPECT(verdict.message.find('\n') == std::string::npos,
                   "its message is not one sentence: {}",
                   verdict.message);
  };
  for (int i = 0; i < 400; ++i)
    for (const double value : {std::nan(""), kInf, -kInf, 0.0, -1.0, 1e300, 1e-300, 3.0}) {
      explained(guard->before_update({++step, value, 1, 1e-3}));
      explained(guard->before_update({++step, 3, value, 1e-3}));
      explained(guard->observe(step, "dev.loss", value));
    }
}

void restores(Factory& f) {
  const auto one = make<Guard>(f);
  for (int64_t step = 1; step <= 137; ++step) one->before_update(healthy(step));
  one->observe(137, "dev.loss", 3);
  testing::MemoryState state;
  one->state(state);
  state.rewind();
  const auto two = make<Guard>(f);
  two->state(state);
  for (int64_t step = 138; step < 600; ++step) {
    GuardStep seen = healthy(step);
    if (step % 97 == 0) seen.loss = 50;
    if (step % 89 == 0) seen.grad_norm = 0;
    MORTISE_EXPECT(one->before_update(seen).action == two->before_update(seen).action,
                   "its verdict on step {} differs after the state was restored",
                   step);
    MORTISE_EXPECT(
        one->observe(step, "dev.loss", 4).action == two->observe(step, "dev.loss", 4).action,
        "its verdict on a score differs after the state was restored");
  }
}

}  // namespace

Suite guard_suite() {
  return {"guard",
          args<Guard>,
          {{"leaves a healthy run alone", leaves_a_healthy_run_alone},
           {"answers any numbers and explains itself in one sentence", answers_any_numbers},
           {"a restored state goes on equally", restores}}};
}

}  // namespace mortise::conform
