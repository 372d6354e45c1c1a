// A trace of a piece of work: every operation with its place in time, its thread and its shapes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "mortise/api.hpp"

namespace mortise {

/// Does the work and writes what LibTorch's profiler saw of it to `path`, in Chrome's trace format
/// (Perfetto and chrome://tracing open it), under one span called `name`.  The work gives the same
/// bits as without.  When it throws, nothing is written.   Thread: [train-thread].
MORTISE_API void record_trace(const std::string& path,
                              std::string_view name,
                              const std::function<void()>& work);

}  // namespace mortise
