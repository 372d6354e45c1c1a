// Lion: the sign of an interpolated momentum.  lr and weight_decay come with each slot.
#pragma once

#include <vector>

#include "mortise/schema.hpp"
#include "mortise/torch/optimizer.hpp"

namespace mortise::optimizer::lion {

class Lion final : public Optimizer {
 public:
  struct Config {
    std::vector<double> betas = {0.9, 0.99};
    static void describe(Schema<Config>& schema);
  };

  Lion(Config config, const Slots& slots);
  void step(const StepContext& context) override;
  void state(StateIo& io) override;

 private:
  Config config_;
  Slots slots_;
  std::vector<at::Tensor> m_;
};

}  // namespace mortise::optimizer::lion
