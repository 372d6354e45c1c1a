// Opens libmortise_engine.so at the moment a verb needs it: until then the CLI starts without
// LibTorch.
#pragma once

#include <cstdint>

#include "core/engine/engine.hpp"

namespace mortise::core {

/// Number of CPUs this process may use; at least 1.
int64_t usable_cpus();

/// Fixes the threads of OpenMP and MKL by environment: both read it once, when LibTorch is loaded.
/// 0: usable_cpus(). Returns the number set.   Thread: [main-thread], before any engine or tensor
/// plugin is opened.
int64_t set_thread_environment(int64_t threads);

/// Sets the thread environment, opens the engine beside this program
/// (<folder>/../lib/libmortise_engine.so) once, and runs call.verb with call.threads.  Tensor
/// plugins find LibTorch and the SDK through the opened engine, so no component of the tensor tier
/// is made before this.  Throws: Error when the engine is absent, and what the verb throws.
int call_engine(EngineCall call);

}  // namespace mortise::core
