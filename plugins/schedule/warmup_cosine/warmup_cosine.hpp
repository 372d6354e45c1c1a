// Linear warm-up, then a cosine down to a floor.
#pragma once

#include "mortise/schedule.hpp"
#include "mortise/schema.hpp"

namespace mortise::schedule::warmup_cosine {

class WarmupCosine final : public Schedule {
 public:
  struct Config {
    double warmup = 0;
    double min_ratio = 0;
    static void describe(Schema<Config>& schema);
  };

  WarmupCosine(Config config, const ScheduleArgs& args);
  double factor(int64_t step) const override;

 private:
  int64_t warmup_steps_ = 0, total_steps_ = 0;
  double min_ratio_ = 0;
};

}  // namespace mortise::schedule::warmup_cosine
