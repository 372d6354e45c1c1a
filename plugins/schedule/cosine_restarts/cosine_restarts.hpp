// Cosine annealing with warm restarts: linear warm-up, then cycles that each fall by a cosine.
#pragma once

#include "mortise/schedule.hpp"
#include "mortise/schema.hpp"

namespace mortise::schedule::cosine_restarts {

class CosineRestarts final : public Schedule {
 public:
  struct Config {
    double warmup = 0;
    double cycle = 0.25;
    double mult = 1;
    double peak_decay = 1;
    double min_ratio = 0;
    static void describe(Schema<Config>& schema);
  };

  CosineRestarts(Config config, const ScheduleArgs& args);
  double factor(int64_t step) const override;

 private:
  Config config_;
  int64_t warmup_steps_ = 0, cycle_steps_ = 1;
};

}  // namespace mortise::schedule::cosine_restarts
