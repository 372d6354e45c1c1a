// Guard that ends a run whose score does not get better.
#pragma once

#include <optional>
#include <string>

#include "mortise/guard.hpp"
#include "mortise/schema.hpp"

namespace mortise::guard::early_stop {

class EarlyStop final : public Guard {
 public:
  struct Config {
    std::string metric;
    std::string mode = "min";
    int64_t patience = 3;
    double min_delta = 0;
    std::optional<double> target = std::nullopt;
    static void describe(Schema<Config>& schema);
  };

  explicit EarlyStop(Config config) : config_(std::move(config)) {}

  GuardVerdict observe(int64_t step, std::string_view name, double value) override;
  void state(StateIo& io) override;

 private:
  Config config_;
  double best_ = 0;
  int64_t best_step_ = 0, without_ = 0, seen_ = 0;
};

}  // namespace mortise::guard::early_stop
