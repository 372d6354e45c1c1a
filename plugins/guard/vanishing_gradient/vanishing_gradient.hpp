// Guard against gradients that are too small to train with.
#pragma once

#include <string>

#include "mortise/guard.hpp"
#include "mortise/schema.hpp"

namespace mortise::guard::vanishing_gradient {

class VanishingGradient final : public Guard {
 public:
  struct Config {
    std::string action = "warn";
    double threshold = 1e-6;
    int64_t patience = 3;
    static void describe(Schema<Config>& schema);
  };

  explicit VanishingGradient(Config config) : config_(std::move(config)) {}

  GuardVerdict before_update(const GuardStep& step) override;

  void state(StateIo& io) override { io.integer("in_a_row", in_a_row_); }

 private:
  Config config_;
  int64_t in_a_row_ = 0;
};

}  // namespace mortise::guard::vanishing_gradient
