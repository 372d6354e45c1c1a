// Contract of `schedule`: finite factors ≥ 0 at every step, pure, restored by its state.
#include "mortise/schedule.hpp"

#include <cmath>

#include "mortise/fixtures.hpp"

#include "suites.hpp"

namespace mortise::conform {

namespace {

constexpr int64_t kTotals[] = {1, 2, 10, 1000};

const void* example_args(Factory&) {
  static const ScheduleArgs args{1000};
  return &args;
}

void finite(Factory& f) {
  for (const int64_t total : kTotals) {
    const auto schedule = make<Schedule>(f, {total});
    // A run may end a little later than planned (the last window), so steps beyond the end count
    // too.
    for (int64_t step = 0; step < total + 10; ++step) {
      const double factor = schedule->factor(step);
      MORTISE_EXPECT(std::isfinite(factor) && factor >= 0,
                     "factor({}) of {} steps is {}",
                     step,
                     total,
                     factor);
    }
  }
}

void not_all_zero(Factory& f) {
  const auto schedule = make<Schedule>(f, {1000});
  double largest = 0;
  for (int64_t step = 0; step < 1000; ++step) largest = std::max(largest, schedule->factor(step));
  MORTISE_EXPECT(largest > 0, "the factor is 0 at every step: nothing would be trained");
}

void pure(Factory& f) {
  const auto one = make<Schedule>(f, {100}), two = make<Schedule>(f, {100});
  for (int64_t step = 99; step >= 0; --step) two->factor(step);
  for (int64_t step = 0; step < 100; ++step)
    MORTISE_EXPECT_EQ(
        one->factor(step), two->factor(step), "factor({}) depends on what was asked before", step);
}

void restores(Factory& f) {
  const auto one = make<Schedule>(f, {100});
  for (int i = 0; i < 12; ++i) one->observe("dev.loss", 3.0 + 0.01 * i);
  testing::MemoryState state;
  one->state(state);
  state.rewind();
  const auto two = make<Schedule>(f, {100});
  two->state(state);
  for (int64_t step = 0; step < 100; ++step)
    MORTISE_EXPECT_EQ(one->factor(step),
                      two->factor(step),
                      "factor({}) differs after the state was restored",
                      step);
}

}  // namespace

Suite schedule_suite() {
  return {"schedule",
          example_args,
          {{"its factors are finite and not negative, also past the end", finite},
           {"its factors are not all zero", not_all_zero},
           {"its factor depends on the step alone", pure},
           {"a restored state goes on equally", restores}}};
}

}  // namespace mortise::conform
