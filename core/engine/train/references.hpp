// Frozen models beside the trained one ([reference.NAME]): the reference policy of a preference
// loss, the teacher of a distillation.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mortise/torch/objective.hpp"

#include "core/engine/engine.hpp"
#include "core/engine/train/workspace.hpp"

namespace mortise::core {

struct Reference {
  std::string name;
  std::shared_ptr<LanguageModel> model;  // not training, no gradient
};

using References = std::vector<Reference>;

/// Opens every [reference.NAME]: `from` a folder or run, or empty: the weights that training starts
/// from.  Throws: DataError when vocabularies differ, naming both.   Thread: [main-thread].
References make_references(const Workspace& space, const EngineCall& call);

/// Runs the batch through them without a gradient.
std::vector<ReferenceHidden> reference_hidden(const References& references,
                                              const TokenBatch& batch);

}  // namespace mortise::core
