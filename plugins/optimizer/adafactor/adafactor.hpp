// Adafactor: second moments of a matrix kept as one row and one column.  lr and weight_decay come
// with each slot.
#pragma once

#include <vector>

#include "mortise/schema.hpp"
#include "mortise/torch/optimizer.hpp"

namespace mortise::optimizer::adafactor {

class Adafactor final : public Optimizer {
 public:
  struct Config {
    double decay_rate = -0.8;
    double eps = 1e-30;
    double min_scale = 1e-3;
    double clip_threshold = 1.0;
    double beta1 = 0;
    bool scale_parameter = false;
    bool relative_step = false;
    static void describe(Schema<Config>& schema);
  };

  Adafactor(Config config, const Slots& slots);

  Granularity granularity() const override { return Granularity::Tensor; }

  void step(const StepContext& context) override;
  void state(StateIo& io) override;

 private:
  at::Tensor direction(size_t index, const at::Tensor& grad);

  Config config_;
  Slots slots_;
  std::vector<at::Tensor> row_, column_;  // of matrices and above
  std::vector<at::Tensor> v_;             // of the others
  std::vector<at::Tensor> m_;             // empty when beta1 is 0
  std::vector<int64_t> steps_;            // gradients that each slot has seen
};

}  // namespace mortise::optimizer::adafactor
