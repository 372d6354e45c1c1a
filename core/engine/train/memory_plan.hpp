// The memory of a training step, told before there is a model.
//
// One unit of each kind (embedding, one layer of every [model.layer.NAME], final norm, head with
// objective) is built and run forward and backward under the counting allocator, on the largest
// micro-batches of the run: with most tokens, and with most tokens of each kind of row.  What each
// keeps for its backward pass and what it needs for a moment is then played through the whole
// stack: forward, loss, backward, optimizer.  With [parallel.*] every unit of the stack is measured
// as its strategies wrap it.
#pragma once

#include <cstdint>

#include "core/engine/train/workspace.hpp"

namespace mortise::core {

struct MemoryPlan {
  int64_t weights = 0, gradients = 0, optimizer = 0;
  int64_t activations = 0;  // what the peak holds besides these
  int64_t peak = 0;
};

/// Takes as long as a step or two of a model with one layer of each kind.   Thread: [main-thread].
MemoryPlan plan_memory(const Workspace& space);

}  // namespace mortise::core
