// Warm-up and cosine; the formula stands in README.md.
// Source: transformers, optimization.py, get_cosine_with_min_lr_schedule_with_warmup.  Departure:
// held after the end.
#include "warmup_cosine.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "mortise/plugin.hpp"

namespace mortise::schedule::warmup_cosine {

WarmupCosine::WarmupCosine(Config config, const ScheduleArgs& args)
    : warmup_steps_(whole_steps(config.warmup, args, "warmup")),
      total_steps_(args.total_steps),
      min_ratio_(config.min_ratio) {}

double WarmupCosine::factor(int64_t step) const {
  if (step < warmup_steps_) return static_cast<double>(step) / static_cast<double>(warmup_steps_);
  const auto length = static_cast<double>(std::max<int64_t>(1, total_steps_ - warmup_steps_));
  const double progress = std::min(1.0, static_cast<double>(step - warmup_steps_) / length);
  const double cosine = std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * progress)));
  return cosine * (1.0 - min_ratio_) + min_ratio_;
}

void WarmupCosine::Config::describe(Schema<Config>& schema) {
  schema
      .field("warmup",
             &Config::warmup,
             "steps of linear warm-up from 0; below 1: a fraction of all steps")
      .min(0)
      .unit("steps")
      .renamed_from("warmup_steps");
  schema.field("min_ratio", &Config::min_ratio, "factor on the learning rate at the end")
      .range(0, 1);
}

}  // namespace mortise::schedule::warmup_cosine

MORTISE_PLUGIN("org.mortise.schedule.warmup_cosine",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::schedule::warmup_cosine::WarmupCosine>(
                   "warmup_cosine", "linear warm-up, then a cosine down to a floor"));
