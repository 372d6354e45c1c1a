// Stops when the watched score was not better than its best by min_delta for `patience` evaluations
// in a row, or as soon as it reaches a target.
// Source: Prechelt, "Early Stopping — But When?", 1998, criterion UP.
#include "early_stop.hpp"

#include "mortise/plugin.hpp"

namespace mortise::guard::early_stop {

GuardVerdict EarlyStop::observe(int64_t step, std::string_view name, double value) {
  if (name != config_.metric) return {};
  const double sign = config_.mode == "min" ? -1 : 1;
  if (config_.target && sign * value >= sign * *config_.target)
    return {GuardAction::Stop,
            fmt::format("{} reached {:.6g} at step {}; the target is {:.6g}",
                        name,
                        value,
                        step,
                        *config_.target)};
  if (seen_++ == 0 || sign * value > sign * best_ + config_.min_delta) {
    best_ = value;
    best_step_ = step;
    without_ = 0;
    return {};
  }
  if (++without_ < config_.patience) return {};
  return {GuardAction::Stop,
          fmt::format("{} was not better than {:.6g} (step {}) in {} evaluations; it is {:.6g} at "
                      "step {}",
                      name,
                      best_,
                      best_step_,
                      without_,
                      value,
                      step)};
}

void EarlyStop::state(StateIo& io) {
  io.real("best", best_);
  io.integer("best_step", best_step_);
  io.integer("without", without_);
  io.integer("seen", seen_);
}

void EarlyStop::Config::describe(Schema<Config>& schema) {
  schema.field("metric", &Config::metric, "the score that is watched, EVAL.SCORE")
      .names_score()
      .required();
  schema.field("mode", &Config::mode, "whether less or more is better").one_of({"min", "max"});
  schema.field("patience", &Config::patience, "evaluations without a better score").min(1);
  schema.field("min_delta", &Config::min_delta, "a smaller gain is none").min(0);
  schema.field("target", &Config::target, "stops when the score is that good");
}

}  // namespace mortise::guard::early_stop

MORTISE_PLUGIN("org.mortise.guard.early_stop",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::guard::early_stop::EarlyStop>(
                   "early_stop", "ends a run whose score does not get better"));
