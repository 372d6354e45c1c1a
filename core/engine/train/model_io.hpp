// Where a job's model comes from and goes to: folders of other tools, generated samples, exports.
#pragma once

#include <string>
#include <vector>

#include "core/engine/engine.hpp"
#include "core/engine/evaluate/evaluator.hpp"
#include "core/engine/train/workspace.hpp"

namespace mortise::core {

/// Fills a model: from model.from, else by [model.init] and run.seed.
void fill_model(LanguageModel& model, const Workspace& space, const EngineCall& call);

/// Continues prompts with [generate]'s sampling.   Lifetime: model and workspace outlive it.
Continue make_continue(LanguageModel& model, const Workspace& space);

/// Asks the architecture of every [export.NAME] that will hold a whole model whether it can express
/// this one.  Throws: Error, before a step is lost.   `model` may be on the meta device.
void check_exports(LanguageModel& model, const Workspace& space);

/// Writes every [export.NAME] to DIR/export/NAME, tokenizer included; returns one line about each.
std::vector<std::string> export_all(LanguageModel& model,
                                    const Workspace& space,
                                    const EngineCall& call,
                                    const std::string& run_dir);

}  // namespace mortise::core
