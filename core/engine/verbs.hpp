// The verbs that compute.  Each returns the exit code of the process and throws mortise::Error.
#pragma once

#include <string>
#include <vector>

#include "core/engine/engine.hpp"

namespace mortise::core {

/// An option that may be one text or a list of them.
std::vector<std::string> texts_of(const Value& option);

/// What the machine under the engine is, for `doctor` and lock files: prints one JSON object.
int run_engine_info(const EngineCall& call);
/// Options: see the opening comments of generate_verb.cpp, score_verb.cpp and export_verb.cpp.
int run_generate(const EngineCall& call);
int run_score(const EngineCall& call);
int run_export(const EngineCall& call);
/// Trains into a run directory (engine/train/job.cpp), evaluates
/// (engine/evaluate/evaluate_job.cpp), and tells what a job will cost and what its data are
/// (engine/train/plan_job.cpp).
int run_train(const EngineCall& call);
int run_evaluate(const EngineCall& call);
int run_plan(const EngineCall& call);
int run_data(const EngineCall& call);

}  // namespace mortise::core
