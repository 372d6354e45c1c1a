// The end of an optimizer step: gradients → norm → clipping → optimizer → weights.
//
// fp32 parameters are updated in place.  16-bit ones are updated through fp32 copies (run.master),
// whose rounding is what the next forward sees.  fp16 losses are scaled: a step whose gradients
// overflow is left out and the scale falls; after enough good steps it grows.  Source: Micikevicius
// et al., "Mixed Precision Training", arXiv:1710.03740 §3.
//
// With in_backward a parameter is updated by a hook of its AccumulateGrad node, which runs once all
// that flows into the parameter is summed, also where it is tied; then its gradient is freed.
// Source: Lv et al., "Full Parameter Fine-tuning for Large Language Models with Limited Resources"
// (LOMO), arXiv:2306.09782 §3.1.
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

  /// Says that parameters move while a backward pass runs (optimizer.in_backward): begin() comes
  /// before it, and gather() and apply() find that done.
  bool in_backward() const { return keys_.in_backward; }

  void begin(int64_t step);

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
  void set_rates(int64_t step);
  void hook_parameters();
  void update_one(size_t slot);
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
  int64_t backward_step_ = 0;    // the rest with in_backward only
  std::vector<double> squares_;  // per slot, of this step's gradients; negative: none yet
};

}  // namespace mortise::core
