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
    : total_steps_(args.total_steps), min_ratio_(config.min_ratio) {
  const bool is_fraction = config.warmup < 1;
  MORTISE_CHECK(is_fraction || std::floor(config.warmup) == config.warmup,
                "warmup: expected whole steps or a fraction below 1, got {}",
                config.warmup);
  warmup_steps_ = std::llround(is_fraction ? config.warmup * static_cast<double>(args.total_steps)
                                           : config.warmup);
  MORTISE_CHECK(total_steps_ <= 0 || warmup_steps_ <= total_steps_,
                "warmup: {} steps are more than the {} of the whole run",
                warmup_steps_,
                total_steps_);
}

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
