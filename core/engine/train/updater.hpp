// The end of an optimizer step: gradients → norm → clipping → optimizer → weights.
//
// fp32 parameters are updated in place.  16-bit ones are updated through fp32 copies (run.master),
// whose rounding is what the next forward sees.  fp16 losses are scaled: a step whose gradients
// overflow is left out and the scale falls; after enough good steps it grows.  Source: Micikevicius
// et al., "Mixed Precision Training", arXiv:1710.03740 §3.
#pragma once

#include <memory>
#include <vector>

#include "mortise/schedule.hpp"
#include "mortise/torch/optimizer.hpp"

#include "core/engine/checkpoint/checkpoint.hpp"
#include "core/engine/train/workspace.hpp"

namespace mortise::core {

/// Thread: [train-thread].
class Updater {
 public:
  Updater(const Workspace& space, const Module& model);
  ~Updater();

  /// What losses are multiplied by; 1 unless the dtype is fp16.
  double loss_scale() const { return scale_; }

  /// Takes the gradients over, unscaled, and returns their global norm (may not be finite).
  double gather();
  /// Clips and updates the weights; returns the learning rate.   Order: after gather().
  double apply(int64_t step, double norm);
  /// Forgets the gradients instead.
  void drop();
  /// Lowers the loss scale after an overflow.  Throws: Error{Gate} when it is too small to go on.
  void back_off(int64_t step);

  double lr(int64_t step) const;

  Schedule* schedule() { return schedule_.get(); }

  const Slots& slots() const { return slots_; }

  void save(StateSaver& saver);
  void restore(StateLoader& loader);

 private:
  void make_slots(const Module& model);
  void clip(double norm);
  void state(StateIo& io);

  const OptimizerKeys& keys_;
  const LossScaleTable& scaling_;
  Slots slots_;
  std::vector<at::Tensor> params_;   // per slot: what the model computes with
  std::vector<double> lr_factors_;   // per slot, from optimizer.groups
  std::vector<at::Tensor> masters_;  // fp32 copies, of 16-bit parameters only
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Schedule> schedule_;
  double scale_ = 1;
  int64_t good_steps_ = 0;
};

}  // namespace mortise::core
