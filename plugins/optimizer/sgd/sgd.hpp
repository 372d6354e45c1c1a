// Stochastic gradient descent with momentum.  lr and weight_decay come with each slot.
#pragma once

#include <string>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/torch/optimizer.hpp"

namespace mortise::optimizer::sgd {

class Sgd final : public Optimizer {
 public:
  struct Config {
    double momentum = 0;
    double dampening = 0;
    bool nesterov = false;
    std::string decay = "l2";
    static void describe(Schema<Config>& schema);
  };

  Sgd(Config config, const Slots& slots);
  void step(const StepContext& context) override;
  void state(StateIo& io) override;

 private:
  Config config_;
  Slots slots_;
  std::vector<at::Tensor> m_;   // empty without momentum
  std::vector<int64_t> moved_;  // 0 until a slot's first gradient, which its momentum starts from
};

}  // namespace mortise::optimizer::sgd
