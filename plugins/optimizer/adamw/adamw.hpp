// AdamW: Adam with decoupled weight decay.  lr and weight_decay come with each slot.
#pragma once

#include <vector>

#include "mortise/schema.hpp"
#include "mortise/torch/optimizer.hpp"

namespace mortise::optimizer::adamw {

class AdamW final : public Optimizer {
 public:
  struct Config {
    std::vector<double> betas = {0.9, 0.999};
    double eps = 1e-8;
    static void describe(Schema<Config>& schema);
  };

  AdamW(Config config, const Slots& slots);
  void step(const StepContext& context) override;
  void state(StateIo& io) override;

 private:
  /// Slots that share lr and weight_decay in this step: one call of the fused kernel.
  struct Group {
    double lr = 0, weight_decay = 0;
    std::vector<at::Tensor> params, grads, m, v, steps;
  };

  Group& group_of(const Slot& slot);
  void step_plain(size_t index);

  Config config_;
  Slots slots_;
  std::vector<at::Tensor> m_, v_;
  std::vector<at::Tensor>
      steps_;  // fp32 scalars: how often each slot was updated (the fused kernel wants tensors)
  std::vector<Group> groups_;  // kept between steps so that their vectors keep their storage
};

}  // namespace mortise::optimizer::adamw
