// A training loss that stands still: the mean over a window of steps is not lower than the mean
// over the window before it by at least min_gain (relative).  Means over windows, because single
// losses are noise.
#include "plateau.hpp"

#include <cmath>

#include "mortise/plugin.hpp"

namespace mortise::guard::plateau {

GuardVerdict Plateau::before_update(const GuardStep& step) {
  if (!std::isfinite(step.loss)) return {};
  sum_ += step.loss;
  if (++steps_ < config_.window) return {};
  const double before = before_, mean = sum_ / static_cast<double>(steps_);
  before_ = mean;
  sum_ = 0;
  steps_ = 0;
  if (windows_++ == 0 || mean < before - config_.min_gain * std::fabs(before)) return {};
  return {guard_action(config_.action),
          fmt::format("the mean loss of the last {} steps is {:.5g}, that of the {} before was "
                      "{:.5g}; expected {:g} % less",
                      config_.window,
                      mean,
                      config_.window,
                      before,
                      100 * config_.min_gain)};
}

void Plateau::state(StateIo& io) {
  io.real("sum", sum_);
  io.real("before", before_);
  io.integer("steps", steps_);
  io.integer("windows", windows_);
}

void Plateau::Config::describe(Schema<Config>& schema) {
  schema.field("action", &Config::action, "what is done about it")
      .one_of({"warn", "rollback", "stop"});
  schema.field("window", &Config::window, "steps of one mean").unit("steps").min(1);
  schema.field("min_gain", &Config::min_gain, "relative gain from window to window").min(0).max(1);
}

}  // namespace mortise::guard::plateau

MORTISE_PLUGIN("org.mortise.guard.plateau",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::guard::plateau::Plateau>(
                   "plateau", "a training loss that stands still"));
