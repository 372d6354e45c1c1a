// Warm-up, stable, decay (MiniCPM, Hu et al., arXiv:2404.06395, §4); 1 − √p from Hägele et al.,
// arXiv:2405.18392.  The formula stands in README.md.  Linear, cosine and sqrt are transformers'
// get_wsd_schedule, except that our warm-up starts from 0 also when there is a floor.
#include "wsd.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "mortise/plugin.hpp"

namespace mortise::schedule::wsd {

Wsd::Wsd(Config config, const ScheduleArgs& args)
    : shape_(config.shape == "cosine"        ? Shape::Cosine
             : config.shape == "sqrt"        ? Shape::Sqrt
             : config.shape == "exponential" ? Shape::Exponential
                                             : Shape::Linear),
      min_ratio_(config.min_ratio),
      warmup_steps_(whole_steps(config.warmup, args, "warmup")),
      decay_steps_(whole_steps(config.decay, args, "decay")),
      total_steps_(args.total_steps) {
  MORTISE_CHECK(total_steps_ <= 0 || warmup_steps_ + decay_steps_ <= total_steps_,
                "warmup and decay: {} + {} steps are more than the {} of the whole run",
                warmup_steps_,
                decay_steps_,
                total_steps_);
}

// From 1 at progress 0 to the floor at progress 1.
double Wsd::fall(double progress) const {
  if (shape_ == Shape::Exponential) return std::pow(min_ratio_, progress);
  double left = 1 - progress;
  if (shape_ == Shape::Cosine) left = 0.5 * (1 + std::cos(std::numbers::pi * progress));
  if (shape_ == Shape::Sqrt) left = 1 - std::sqrt(progress);
  return min_ratio_ + (1 - min_ratio_) * left;
}

double Wsd::factor(int64_t step) const {
  if (step < warmup_steps_) return static_cast<double>(step) / static_cast<double>(warmup_steps_);
  const int64_t into_decay = step - (total_steps_ - decay_steps_);
  if (into_decay < 0 || decay_steps_ == 0) return 1;
  return fall(std::min(1.0, static_cast<double>(into_decay) / static_cast<double>(decay_steps_)));
}

void Wsd::Config::describe(Schema<Config>& schema) {
  schema
      .field("warmup",
             &Config::warmup,
             "steps of linear warm-up from 0; below 1: a fraction of all steps")
      .min(0)
      .unit("steps");
  schema
      .field("decay",
             &Config::decay,
             "steps of the decay, the last ones of the run; below 1: a fraction of all steps")
      .min(0)
      .unit("steps");
  schema.field("shape", &Config::shape, "of the decay; sqrt is 1 - √p")
      .one_of({"linear", "cosine", "sqrt", "exponential"});
  schema.field("min_ratio", &Config::min_ratio, "the floor: factor at the end").range(0, 1);
  schema.rule("shape != 'exponential' or min_ratio > 0",
              "an exponential decay never reaches 0; give min_ratio, such as 0.1");
}

}  // namespace mortise::schedule::wsd

MORTISE_PLUGIN("org.mortise.schedule.wsd",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::schedule::wsd::Wsd>(
                   "wsd", "warm-up, a long constant stretch, then a decay at the end"));
