// Next-token cross-entropy without an N×V matrix.
#pragma once

#include "mortise/schema.hpp"
#include "mortise/torch/objective.hpp"

namespace mortise::objective::causal_lm {

class CausalLm final : public Objective {
 public:
  struct Config {
    double label_smoothing = 0;
    double z_loss = 0;
    int64_t chunk = 0;
    static void describe(Schema<Config>& schema);
  };

  explicit CausalLm(Config config);
  ObjectiveOutput forward(const ObjectiveInput& in) override;

 private:
  Config config_;
};

}  // namespace mortise::objective::causal_lm
