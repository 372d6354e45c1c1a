// One optimizer step after another: accumulation, normalisation, clipping, schedule, and the state
// that a resume needs.
//
// The loss of a step is the sum over all unmasked targets of its global batch, divided by their
// number, which is known before the first forward; so it does not depend on how the batch is cut
// into micro-batches.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mortise/schedule.hpp"
#include "mortise/torch/objective.hpp"
#include "mortise/torch/optimizer.hpp"

#include "core/engine/checkpoint/checkpoint.hpp"
#include "core/engine/train/workspace.hpp"

namespace mortise::core {

struct StepResult {
  int64_t step = 0;      // number of the step, from 1
  double loss = 0;       // per target
  double lr = 0;         // of the recipe × schedule
  double grad_norm = 0;  // before clipping
  int64_t num_inputs = 0, num_targets = 0;
  std::vector<std::pair<std::string, double>> parts;  // named parts of the loss, per target
};

/// Thread: [train-thread].
class Trainer {
 public:
  /// Lifetime: workspace and model outlive the trainer.
  Trainer(const Workspace& space, std::shared_ptr<LanguageModel> model);
  ~Trainer();

  /// Runs one optimizer step.  Throws: Error{Gate} when the loss or the gradient is not finite.
  StepResult step();

  int64_t steps_done() const { return step_; }

  int64_t tokens_seen() const { return tokens_seen_; }

  /// Null when the recipe has none: the learning rate is constant.
  Schedule* schedule() { return schedule_.get(); }

  const Slots& slots() const { return slots_; }

  /// Gathers all that the next step depends on.  Tensors are handles.
  CheckpointContent checkpoint();
  /// Continues where the checkpoint was written.  Throws: DataError.
  void restore(const CheckpointReader& reader);

 private:
  void make_slots();
  double forward_backward(const Batch& batch, double normaliser, StepResult& result);
  double gradient_norm();
  void update(StepResult& result);
  void check_finite(double value, std::string_view what) const;

  const Workspace& space_;
  std::shared_ptr<LanguageModel> model_;
  std::unique_ptr<Objective> objective_;
  std::unique_ptr<Schedule> schedule_;
  Slots slots_;
  std::vector<double> lr_factors_;  // per slot, from optimizer.groups
  std::unique_ptr<Optimizer> optimizer_;
  RowOrder order_;
  int64_t step_ = 0, tokens_seen_ = 0;
};

}  // namespace mortise::core
