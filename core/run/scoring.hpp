// Metrics without a model: [eval.*] as objects, and the scoring of a file of predictions.
//
// A file of predictions is JSONL with `prediction` and `references` (an array) or `reference` (a
// string) in each line.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mortise/host.hpp"
#include "mortise/metric.hpp"
#include "mortise/scores.hpp"

#include "core/recipe/tables.hpp"

namespace mortise::core {

/// One [eval.NAME].
struct EvalSlot {
  std::string name;
  EvalKeys keys;
  std::unique_ptr<Metric> metric;
};

/// Makes the metrics of a recipe, in its order.   Thread: [main-thread].
std::vector<EvalSlot> make_evals(const Value& recipe, Host& host);

/// True when `eval.X.data` names a file instead of a part of the data.
bool is_prediction_file(const std::string& data);
/// Scores such a file.  Throws: DataError naming file and line.
ScoreReport score_file(const EvalSlot& eval, int64_t* num_samples = nullptr);

}  // namespace mortise::core
