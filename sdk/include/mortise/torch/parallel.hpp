<<<<<<< HEAD
// Loops over the threads of LibTorch's pool.
//
// at::parallel_for is a template of a header: without -fopenmp in the including file it compiles to
// a plain loop on one thread.  This one is compiled once, with OpenMP, inside the SDK.
#pragma once

#include <cstdint>

#include <c10/util/FunctionRef.h>

#include "mortise/api.hpp"

namespace mortise {

/// Splits [begin, end) into equal parts of at least `grain`, one a thread, and calls body(first,
/// last) for each; on the calling thread alone inside another parallel loop.  What the body throws
/// is rethrown here.   Thread: [any-thread].
MORTISE_API void parallel_for(int64_t begin,
                              int64_t end,
                              int64_t grain,
                              c10::function_ref<void(int64_t, int64_t)> body);
=======
// Interface `parallel` (draft): how the work of a step is laid out over memory and ranks.
//
// Strategies run in a fixed order of phases: pipeline split → tensor, expert and context layout →
// recompute → data parallel.  This version has what the recompute phase needs: a strategy wraps the
// runner of a unit; the other phases will add their own calls.
#pragma once

#include <cstdint>
#include <functional>

#include "mortise/host.hpp"
#include "mortise/torch/block.hpp"

namespace mortise {

enum class ParallelPhase { Split, Layout, Recompute, Data };

/// Runs one unit of the stack.  Pure in its input, as Layer::forward is.
using UnitRunner = std::function<BlockOutput(const BlockInput&)>;

struct ParallelArgs {
  int64_t num_layers = 0;
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

  /// Phase Recompute: returns what is called instead of `unit` while training.  The replay of a
  /// unit must see the same dropout masks and the same routes.   Thread: [main-thread]; the runner
  /// [train-thread].   Lifetime: the runner lives no longer than the component.
  virtual UnitRunner wrap(int64_t /*layer*/, UnitRunner unit) { return unit; }
};
>>>>>>> main

}  // namespace mortise
