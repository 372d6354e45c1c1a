// Guard against sudden jumps of the loss.
#pragma once

#include <string>
#include <vector>

#include "mortise/guard.hpp"
#include "mortise/schema.hpp"

namespace mortise::guard::loss_spike {

class LossSpike final : public Guard {
 public:
  struct Config {
    std::string action = "skip";
    double threshold = 6;
    int64_t window = 100;
    int64_t warmup = 50;
    static void describe(Schema<Config>& schema);
  };

  explicit LossSpike(Config config) : config_(std::move(config)) {}

  GuardVerdict before_update(const GuardStep& step) override;
  void state(StateIo& io) override;

 private:
  Config config_;
  std::vector<double> recent_;  // the newest last
};

}  // namespace mortise::guard::loss_spike
