// Warm-up, stable, decay: a constant rate that falls only at the end of the run.
#pragma once

#include <string>

#include "mortise/schedule.hpp"
#include "mortise/schema.hpp"

namespace mortise::schedule::wsd {

class Wsd final : public Schedule {
 public:
  struct Config {
    double warmup = 0;
    double decay = 0.1;
    std::string shape = "linear";
    double min_ratio = 0;
    static void describe(Schema<Config>& schema);
  };

  Wsd(Config config, const ScheduleArgs& args);
  double factor(int64_t step) const override;

 private:
  enum class Shape { Linear, Cosine, Sqrt, Exponential };

  double fall(double progress) const;

  Shape shape_ = Shape::Linear;
  double min_ratio_ = 0;
  int64_t warmup_steps_ = 0, decay_steps_ = 0, total_steps_ = 0;
};

}  // namespace mortise::schedule::wsd
