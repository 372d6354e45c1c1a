// Interface `objective`: hidden states and targets → loss.  It never sees logits of all tokens.
//
// Core owns normalisation: `normaliser` is the number of unmasked targets of the whole accumulation
// window over all data ranks, so a loss does not depend on how a batch was cut.
#pragma once

#include <string>
#include <vector>

#include "mortise/host.hpp"
#include "mortise/torch/block.hpp"
#include "mortise/torch/head.hpp"

namespace mortise {

/// What a loss is averaged over: core counts these units in the whole accumulation window.
enum class LossUnit { Target, Sample, Pair };

/// The same tokens seen by another, frozen model (preference and distillation objectives).
struct ReferenceHidden {
  std::string name;  // of [reference.NAME]
  at::Tensor hidden_ND;
  Head* head = nullptr;
};

struct ObjectiveInput {
  at::Tensor hidden_ND;
  Head* head = nullptr;
  at::Tensor targets_N;  // int64
  at::Tensor mask_N;     // bool, true = counts; undefined: all count
  /// Samples of the micro-batch, for losses over sequences: sample number of each token from 0, −1
  /// for padding; undefined where the unit is Target.
  at::Tensor samples_N;  // int64
  at::Tensor labels_S;   // int64 class of each sample; undefined: the data has none
  at::Tensor pairs_S;    // int64 pair of each sample, both in this micro-batch; undefined: no pairs
  at::Tensor chosen_S;   // bool: the preferred one of its pair
  double normaliser = 1;  // > 0
  double loss_scale = 1;  // dynamic scale of fp16 training
  std::vector<ReferenceHidden> references;
};

struct ObjectiveOutput {
  at::Tensor loss;                // scalar to differentiate: loss sum / normaliser × loss_scale
  at::Tensor loss_sum;            // detached sum over the unmasked targets, unscaled
  std::vector<NamedValue> parts;  // detached sums of named parts ("z_loss")
};

namespace ext {

/// An objective whose loss is of scores that held-out samples can be judged by.  Its component
/// declares the capability `sample_scores`.
class MORTISE_API SampleScores {
 public:
  static constexpr const char* kExtension = "objective.sample_scores/1";
  virtual ~SampleScores();
  /// What forward() compares: the classes' scores of each sample, or one number of each sample of
  /// a pair.  Shapes: → SL or S1.   Throws: as forward().   Thread: [train-thread].
  virtual at::Tensor sample_scores(const ObjectiveInput& in) = 0;
};

}  // namespace ext

class MORTISE_API Objective : public Component {
 public:
  using Interface = Objective;
  using Args = NoArgs;
  using Extensions = detail::ExtensionList<ext::SampleScores>;
  static constexpr const char* kInterface = "objective/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_BLOCK_TYPES,
                               MORTISE_TYPE(ObjectiveInput),
                               MORTISE_MEMBER(ObjectiveInput, normaliser),
                               MORTISE_TYPE(ObjectiveOutput),
                               MORTISE_TYPE(ReferenceHidden)});
  }

  virtual ~Objective();

  /// Thread: [any-thread].
  virtual LossUnit unit() const { return LossUnit::Target; }

  /// Thread: [train-thread].
  virtual ObjectiveOutput forward(const ObjectiveInput& in) = 0;
};

}  // namespace mortise
