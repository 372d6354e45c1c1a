// SGDR (Loshchilov & Hutter, arXiv:1608.03983, eq. 5) behind a linear warm-up; the formula stands
// in README.md.  With mult a whole number and peak_decay = 1 it is torch's
// CosineAnnealingWarmRestarts. Departures: the warm-up, peaks that decay, and mult need not be
// whole (a cycle is rounded to whole steps).
#include "cosine_restarts.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "mortise/plugin.hpp"

namespace mortise::schedule::cosine_restarts {

CosineRestarts::CosineRestarts(Config config, const ScheduleArgs& args)
    : config_(config),
      warmup_steps_(whole_steps(config.warmup, args, "warmup")),
      cycle_steps_(std::max<int64_t>(1, whole_steps(config.cycle, args, "cycle"))) {}

double CosineRestarts::factor(int64_t step) const {
  if (step < warmup_steps_) return static_cast<double>(step) / static_cast<double>(warmup_steps_);
  int64_t position = step - warmup_steps_, length = cycle_steps_, cycle = 0;
  if (config_.mult == 1) {
    cycle = position / length;
    position %= length;
  } else {
    while (position >= length) {
      position -= length;
      ++cycle;
      const double longer =
          static_cast<double>(cycle_steps_) * std::pow(config_.mult, static_cast<double>(cycle));
      length = std::llround(std::min(longer, 1e18));
    }
  }
  const double peak =
      config_.min_ratio +
      (1 - config_.min_ratio) * std::pow(config_.peak_decay, static_cast<double>(cycle));
  const double progress = static_cast<double>(position) / static_cast<double>(length);
  const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * progress));
  return config_.min_ratio + (peak - config_.min_ratio) * cosine;
}

void CosineRestarts::Config::describe(Schema<Config>& schema) {
  schema
      .field("warmup",
             &Config::warmup,
             "steps of linear warm-up from 0; below 1: a fraction of all steps")
      .min(0)
      .unit("steps");
  schema
      .field("cycle", &Config::cycle, "steps of the first cycle; below 1: a fraction of all steps")
      .above(0)
      .unit("steps");
  schema.field("mult", &Config::mult, "each cycle is so many times as long as the one before")
      .min(1);
  schema
      .field("peak_decay",
             &Config::peak_decay,
             "each peak stands so many times as high above the floor as the one before")
      .above(0)
      .max(1);
  schema.field("min_ratio", &Config::min_ratio, "the floor: factor at the end of a cycle")
      .range(0, 1);
}

}  // namespace mortise::schedule::cosine_restarts

MORTISE_PLUGIN("org.mortise.schedule.cosine_restarts",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::schedule::cosine_restarts::CosineRestarts>(
                   "cosine_restarts", "warm-up, then cosine cycles that restart (SGDR)"));
