// Loops over the threads of LibTorch's pool.
//
// at::parallel_for is a template of a header: without -fopenmp in the including file it compiles to
// a plain loop on one thread.  This one is compiled once, with OpenMP, inside the SDK.
#pragma once

#include <cstdint>
#include <functional>

#include "mortise/api.hpp"

namespace mortise {

/// Splits [begin, end) into equal parts of at least `grain`, one a thread, and calls body(first,
/// last) for each; on the calling thread alone inside another parallel loop.  What the body throws
/// is rethrown here.   Thread: [any-thread].
MORTISE_API void parallel_for(int64_t begin,
                              int64_t end,
                              int64_t grain,
                              const std::function<void(int64_t, int64_t)>& body);

}  // namespace mortise
