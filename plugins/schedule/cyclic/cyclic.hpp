// Cyclical learning rates: straight up and down between a floor and the recipe's rate.
#pragma once

#include <string>

#include "mortise/schedule.hpp"
#include "mortise/schema.hpp"

namespace mortise::schedule::cyclic {

class Cyclic final : public Schedule {
 public:
  struct Config {
    double up = 0.05;
    double down = 0;
    std::string mode = "triangular";
    double gamma = 1;
    double min_ratio = 0.1;
    static void describe(Schema<Config>& schema);
  };

  Cyclic(Config config, const ScheduleArgs& args);
  double factor(int64_t step) const override;

 private:
  Config config_;
  int64_t up_steps_ = 1, down_steps_ = 1;
};

}  // namespace mortise::schedule::cyclic
