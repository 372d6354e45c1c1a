// Guard that notices a training loss that stands still.
#pragma once

#include <string>

#include "mortise/guard.hpp"
#include "mortise/schema.hpp"

namespace mortise::guard::plateau {

class Plateau final : public Guard {
 public:
  struct Config {
    std::string action = "warn";
    int64_t window = 200;
    double min_gain = 1e-3;
    static void describe(Schema<Config>& schema);
  };

  explicit Plateau(Config config) : config_(std::move(config)) {}

  GuardVerdict before_update(const GuardStep& step) override;
  void state(StateIo& io) override;

 private:
  Config config_;
  double sum_ = 0, before_ = 0;
  int64_t steps_ = 0, windows_ = 0;
};

}  // namespace mortise::guard::plateau
