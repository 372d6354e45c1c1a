// One optimizer step after another: accumulation, normalisation, guards, update, and the state that
// a resume needs.
//
// The loss of a step is the sum over all units of its global batch (unmasked targets, samples or
// pairs: the objective says), divided by their number, which is known before the first forward; so
// it does not depend on how the batch is cut into micro-batches.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mortise/torch/objective.hpp"

#include "core/engine/checkpoint/checkpoint.hpp"
#include "core/engine/train/ema.hpp"
#include "core/engine/train/guards.hpp"
#include "core/engine/train/references.hpp"
#include "core/engine/train/updater.hpp"

namespace mortise::core {

struct StepResult {
  int64_t step = 0;      // number of the step, from 1
  double loss = 0;       // per target
  double lr = 0;         // of the recipe × schedule
  double grad_norm = 0;  // before clipping
  int64_t num_inputs = 0, num_units = 0;
  /// Named parts of the loss per unit, and statistics of the routers as means over layers.
  std::vector<std::pair<std::string, double>> parts;
  std::vector<GuardEvent> events;  // of the guards; the strongest was carried out, Rollback and
                                   // Stop are left to the caller
  bool updated = false;            // false: the update was left out
};

/// Thread: [train-thread].
class Trainer {
 public:
  /// Lifetime: workspace and model outlive the trainer.
  Trainer(const Workspace& space, std::shared_ptr<LanguageModel> model, References references = {});
  ~Trainer();

  /// Runs one optimizer step.  Throws: Error{Gate} when the loss or the gradient is not finite and
  /// no guard took care of it.
  StepResult step();

  int64_t steps_done() const { return step_; }

  int64_t tokens_seen() const { return tokens_seen_; }

  /// Tells schedule and guards an evaluated score; returns what the guards say.
  std::vector<GuardEvent> observe(std::string_view name, double value);

  /// Null: the recipe has no [ema].
  const Ema* ema() const { return ema_.get(); }

  /// Gathers all that the next step depends on.  Tensors are handles.
  CheckpointContent checkpoint();
  /// Continues where the checkpoint was written.  Throws: DataError.
  void restore(const CheckpointReader& reader);
  /// Restores an earlier state but goes on with the rows after the ones that were just read.
  void roll_back(const CheckpointReader& reader);

 private:
  /// The sums of one step.
  struct Window {
    double loss_sum = 0, normaliser = 1;
    std::map<std::string, double> parts;                  // sums over units
    std::map<std::string, std::pair<double, int>> stats;  // sums and counts over layers and passes
    std::map<std::string, at::Tensor> counts;             // by router
  };

  std::vector<int64_t> next_rows() const;
  int64_t units_of(const std::vector<int64_t>& rows) const;
  void forward_backward(const Batch& batch, Window& window);
  void collect(const HiddenOutput& hidden,
               const ObjectiveOutput& output,
               double units,
               Window& window);
  void update(const Window& window, StepResult& result);
  void tell_routers(const Window& window);
  [[noreturn]] void not_finite(double value, std::string_view what) const;

  const Workspace& space_;
  std::shared_ptr<LanguageModel> model_;
  std::unique_ptr<Objective> objective_;
  References references_;
  Updater updater_;
  Guards guards_;
  std::unique_ptr<Ema> ema_;
  RowOrder order_;
  int64_t step_ = 0, rows_consumed_ = 0, tokens_seen_ = 0;
};

}  // namespace mortise::core
