// Guard against losses and gradients that are no numbers.
#pragma once

#include <string>

#include "mortise/guard.hpp"
#include "mortise/schema.hpp"

namespace mortise::guard::nan {

class Nan final : public Guard {
 public:
  struct Config {
    std::string action = "skip";
    int64_t patience = 10;
    static void describe(Schema<Config>& schema);
  };

  explicit Nan(Config config) : config_(std::move(config)) {}

  GuardVerdict before_update(const GuardStep& step) override;

  void state(StateIo& io) override { io.integer("in_a_row", in_a_row_); }

 private:
  Config config_;
  int64_t in_a_row_ = 0;
};

}  // namespace mortise::guard::nan
