// Jobs of several stages, and gates: conditions on scores that stop a job with exit code 4.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/recipe/resolve.hpp"
#include "core/recipe/tables.hpp"

namespace mortise::core {

/// One stage before it is checked: the common part of the recipe with the stage's overlay on it.
struct StagePlan {
  std::string name;
  Node root;
  Origin origin;  // of the stage's task
};

/// Splits a pipeline in the order of recipe.order, or of the text.   Thread: [any-thread].
std::vector<StagePlan> split_stages(Composed& composed, Diagnostics& diagnostics);
/// Reports [stage.*] and recipe.order in a recipe whose task is no pipeline.
void refuse_stages(Node& root, Diagnostics& diagnostics);
/// Reports gates whose score no eval of the stage can produce, and limits that do not read.
void check_gates(const Resolved& resolved, Diagnostics& diagnostics);

/// "ppl.perplexity" → 12.3
using Scores = std::map<std::string, double>;

/// A condition that was not kept, as one sentence: "ppl.value: 12.9 exceeds 12.36 (12.0 of stage
/// base + 3%)".
struct GateFailure {
  std::string score, message;
};

/// Compares scores with the table `gate` of a resolved recipe.  `earlier` holds the scores of the
/// stages that ran before, oldest first.  A score that is missing fails its gate.   Thread:
/// [any-thread].
std::vector<GateFailure> check_gate(
    const Scores& scores,
    const Value& gate,
    const std::vector<std::pair<std::string, Scores>>& earlier = {});

}  // namespace mortise::core
