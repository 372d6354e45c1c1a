// factor(s) = s / w for s < w, else 1.  Source: transformers, optimization.py,
// get_constant_schedule_with_warmup.
#include "constant.hpp"

#include <cmath>

#include "mortise/plugin.hpp"

namespace mortise::schedule::constant {

Constant::Constant(Config config, const ScheduleArgs& args) {
  const bool is_fraction = config.warmup < 1;
  MORTISE_CHECK(is_fraction || std::floor(config.warmup) == config.warmup,
                "warmup: expected whole steps or a fraction below 1, got {}",
                config.warmup);
  warmup_steps_ = std::llround(is_fraction ? config.warmup * static_cast<double>(args.total_steps)
                                           : config.warmup);
}

double Constant::factor(int64_t step) const {
  return step < warmup_steps_ ? static_cast<double>(step) / static_cast<double>(warmup_steps_)
                              : 1.0;
}

void Constant::Config::describe(Schema<Config>& schema) {
  schema
      .field("warmup",
             &Config::warmup,
             "steps of linear warm-up from 0; below 1: a fraction of all steps")
      .min(0)
      .unit("steps")
      .renamed_from("warmup_steps");
}

}  // namespace mortise::schedule::constant

MORTISE_PLUGIN("org.mortise.schedule.constant",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::schedule::constant::Constant>(
                   "constant", "the same learning rate at every step, after an optional warm-up"));
