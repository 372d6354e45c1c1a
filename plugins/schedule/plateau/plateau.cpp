// Lowers the rate when an evaluated score has stopped improving, as torch's ReduceLROnPlateau with
// lr = 1 (its eps included: a cut below 1e-8 is not made).  Source: torch 2.11.0,
// optim/lr_scheduler.py, ReduceLROnPlateau.step.  Departure: an optional linear warm-up, which
// multiplies.
#include "plateau.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include "mortise/plugin.hpp"

namespace mortise::schedule::plateau {

constexpr double kSmallestCut = 1e-8;  // torch's eps

Plateau::Plateau(Config config, const ScheduleArgs& args)
    : config_(std::move(config)), warmup_steps_(whole_steps(config_.warmup, args, "warmup")) {}

double Plateau::factor(int64_t step) const {
  const double warm =
      step < warmup_steps_ ? static_cast<double>(step) / static_cast<double>(warmup_steps_) : 1;
  return warm * factor_;
}

bool Plateau::is_better(double value) const {
  const bool is_min = config_.mode == "min";
  if (!best_) return is_min ? value < INFINITY : value > -INFINITY;  // never true for nan
  if (config_.threshold_mode == "abs")
    return is_min ? value < *best_ - config_.threshold : value > *best_ + config_.threshold;
  return is_min ? value < *best_ * (1 - config_.threshold)
                : value > *best_ * (1 + config_.threshold);
}

// The host checks the evaluation's name; which scores it has shows when they arrive.
void Plateau::note_other(std::string_view name) {
  const size_t length = config_.metric.find('.') + 1;
  if (seen_ || name.substr(0, length) != config_.metric.substr(0, length)) return;
  if (other_.insert(std::string(name)).second) return;
  throw Error(Code::Usage,
              fmt::format("the schedule waits for the score \"{}\", but this evaluation gives {}",
                          config_.metric,
                          fmt::join(other_, ", ")),
              fmt::format("schedule.metric = \"{}\"", *other_.begin()));
}

void Plateau::observe(std::string_view name, double value) {
  if (name != config_.metric) return note_other(name);
  seen_ = true;
  if (is_better(value)) {
    best_ = value;
    num_bad_ = 0;
  } else {
    ++num_bad_;
  }
  if (cooldown_left_ > 0) {
    --cooldown_left_;
    num_bad_ = 0;
  }
  if (num_bad_ <= config_.patience) return;
  const double lower = std::max(factor_ * config_.factor, config_.min_factor);
  if (factor_ - lower > kSmallestCut) factor_ = lower;
  cooldown_left_ = config_.cooldown;
  num_bad_ = 0;
}

void Plateau::state(StateIo& io) {
  bool has_best = best_.has_value();
  double best = best_.value_or(0);
  io.flag("has_best", has_best);
  io.real("best", best);
  io.integer("num_bad", num_bad_);
  io.integer("cooldown_left", cooldown_left_);
  io.real("factor", factor_);
  io.flag("seen", seen_);
  best_ = has_best ? std::optional(best) : std::nullopt;
}

void Plateau::Config::describe(Schema<Config>& schema) {
  schema.field("metric", &Config::metric, "the evaluated score it watches: \"ppl.perplexity\"")
      .required()
      .names_score();
  schema.field("mode", &Config::mode, "whether a smaller or a larger score is better")
      .one_of({"min", "max"});
  schema.field("factor", &Config::factor, "the rate is multiplied by it").range(0, 1);
  schema.field("patience", &Config::patience, "evaluations without improvement that are borne")
      .min(0);
  schema.field("threshold", &Config::threshold, "how much better counts as better").min(0);
  schema
      .field("threshold_mode",
             &Config::threshold_mode,
             "whether threshold is a share of the best score or an amount")
      .one_of({"rel", "abs"});
  schema.field("cooldown", &Config::cooldown, "evaluations after a cut in which none is counted")
      .min(0);
  schema.field("min_factor", &Config::min_factor, "the floor of all cuts together").range(0, 1);
  schema
      .field("warmup",
             &Config::warmup,
             "steps of linear warm-up from 0; below 1: a fraction of all steps")
      .min(0)
      .unit("steps");
  schema.rule("factor < 1", "a factor of 1 changes nothing");
}

}  // namespace mortise::schedule::plateau

MORTISE_PLUGIN("org.mortise.schedule.plateau",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::schedule::plateau::Plateau>(
                   "plateau", "lowers the rate when an evaluated score stops improving"));
