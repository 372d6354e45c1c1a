// A moving average of the trained weights: avg ← decay · avg + (1 − decay) · weight after every
// update, in fp32.  Source: Polyak and Juditsky 1992; as in Tarvainen and Valpola,
// arXiv:1703.01780.
#pragma once

#include <vector>

#include "mortise/state.hpp"
#include "mortise/torch/module.hpp"

namespace mortise::core {

/// Thread: [train-thread].
class Ema {
 public:
  /// Starts from the present values of the trainable parameters.
  Ema(const Module& model, double decay);

  void update();

  void state(StateIo& io) { io.tensors("average", averages_); }

  /// Puts the averages into the model while it lives; then the weights come back, bit for bit.
  class Swap {
   public:
    /// Null: nothing is swapped.
    explicit Swap(const Ema* ema);
    ~Swap();
    Swap(const Swap&) = delete;
    Swap& operator=(const Swap&) = delete;

   private:
    const Ema* ema_;
    std::vector<at::Tensor> weights_;
  };

 private:
  double decay_;
  std::vector<at::Tensor> params_, averages_;
};

}  // namespace mortise::core
