// Interface `parallel` (draft): how the work of a step is laid out over memory and ranks.
//
// Strategies run in a fixed order of phases: pipeline split → tensor, expert and context layout →
// recompute → offload → data parallel.  This version has what recompute and offload need: a
// strategy wraps the runner of a unit, a later phase around an earlier one; the other phases will
// add their own calls.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "mortise/host.hpp"
#include "mortise/torch/block.hpp"

namespace mortise {

enum class ParallelPhase { Split, Layout, Recompute, Offload, Data };

/// Runs one unit of the stack.  Pure in its input, as Layer::forward is.
using UnitRunner = std::function<BlockOutput(const BlockInput&)>;

struct ParallelArgs {
  int64_t num_layers = 0;
  std::vector<at::Tensor> tensors = {};  // handles to the model's parameters and buffers
};

class MORTISE_API Parallel : public Component {
 public:
  using Interface = Parallel;
  using Args = ParallelArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "parallel/1.0-draft";

  static std::string layout() {
    return layout_fingerprint({MORTISE_BLOCK_TYPES, MORTISE_TYPE(ParallelArgs)});
  }

  virtual ParallelPhase phase() const = 0;

  /// Phases Recompute and Offload: returns what is called instead of `unit` while training.  The
  /// replay of a unit must see the same dropout masks and the same routes.   Thread: [main-thread];
  /// the runner [train-thread].   Lifetime: the runner lives no longer than the component.
  virtual UnitRunner wrap(int64_t /*layer*/, UnitRunner unit) { return unit; }
};

}  // namespace mortise
