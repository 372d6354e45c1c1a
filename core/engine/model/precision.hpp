// Modules in another dtype than run.dtype: run.precision.
//
// A pattern takes whole modules, because a module computes in the dtype of its parameters
// (mortise/torch/precision.hpp converts around it).  Parameters keep their handles, so what shares
// them (a tied head) follows; a pattern that would split a tie is refused.
#pragma once

#include "core/engine/model/language_model.hpp"
#include "core/recipe/tables.hpp"

namespace mortise::core {

/// Converts the parameters that run.precision names.  `is_whole`: all that will be there is there,
/// so a pattern must mean something.  Throws: Error on a pattern that matches nothing or for which
/// earlier ones left nothing, on a split tie, on a split module.
void apply_precision(LanguageModel& model, const RunTable& run, bool is_whole);

}  // namespace mortise::core
