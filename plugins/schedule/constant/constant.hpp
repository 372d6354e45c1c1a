// A constant factor with an optional linear warm-up.
#pragma once

#include "mortise/schedule.hpp"
#include "mortise/schema.hpp"

namespace mortise::schedule::constant {

class Constant final : public Schedule {
 public:
  struct Config {
    double warmup = 0;
    static void describe(Schema<Config>& schema);
  };

  Constant(Config config, const ScheduleArgs& args);
  double factor(int64_t step) const override;

 private:
  int64_t warmup_steps_ = 0;
};

}  // namespace mortise::schedule::constant
