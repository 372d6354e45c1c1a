// batch.curriculum.by = "perplexity": how hard each document is for another model.
#pragma once

#include <string>
#include <vector>

#include "core/engine/engine.hpp"
#include "core/engine/train/progress.hpp"
#include "core/engine/train/workspace.hpp"

namespace mortise::core {

/// Mean −log p of each training document's targets under batch.curriculum.model, which orders them
/// as perplexity does.  Read from the file `cache`, else computed, which `progress` tells, and
/// written there.  Throws: DataError when that model reads other tokens.   Thread: [main-thread].
std::vector<double> score_curriculum(const Workspace& space,
                                     const EngineCall& call,
                                     const std::string& cache,
                                     Progress& progress);

}  // namespace mortise::core
