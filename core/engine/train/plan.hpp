// `mortise plan`: what will be built, from what, and what it will cost; `run` writes it as
// plan.txt.
#pragma once

#include <string>

#include "core/engine/train/memory_plan.hpp"

namespace mortise::core {

struct JobPlan {
  MemoryPlan memory;
  int64_t parameters = 0, trainable = 0;
  std::string text;
  Value value;  // the same for --json
};

/// `notes` holds what only the CLI knows: {plugins: text, changed: [text], dropped: [text]}; may be
/// empty.
JobPlan make_plan(const Workspace& space, const Value& notes);

}  // namespace mortise::core
