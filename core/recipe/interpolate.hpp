// References in a composed tree: ${vars.x}, ${batch.seq_len}, ${run.dir}, ${recipe.dir},
// ${env:NAME:default},
// ${stage.NAME.out}.  A value that is one reference takes the type of what it names, whole tables
// included.
// `$${` stands for a literal `${`.
#pragma once

#include <string>

#include "core/recipe/compose.hpp"

namespace mortise::core {

struct ReferenceContext {
  std::string recipe_dir;
  std::string run_dir;           // empty: ${run.dir} stays as it is until a run chooses one
  const Node* stages = nullptr;  // the table `stage` of a pipeline
};

/// Replaces all references in place.   Thread: [any-thread].
void interpolate(Node& root, const ReferenceContext& context, Diagnostics& diagnostics);

}  // namespace mortise::core
