// Metrics without a model: [eval.*] as objects, sums of statistics, and the scoring of a file of
// predictions.
//
// A file of predictions is JSONL with `prediction` and `references` (an array) or `reference` (a
// string) in each line.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mortise/host.hpp"
#include "mortise/metric.hpp"
#include "mortise/tracker.hpp"

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

/// Adds up samples of one metric.
class ScoreSum {
 public:
  explicit ScoreSum(const Metric& metric) : metric_(metric) {}

  void add(const Sample& sample);

  int64_t count() const { return count_; }

  ScoreReport report(const std::string& name, const std::string& data) const;

 private:
  const Metric& metric_;
  Stats sum_;
  int64_t count_ = 0;
};

/// True when `eval.X.data` names a file instead of a part of the data.
bool is_prediction_file(const std::string& data);
/// Scores such a file.  Throws: DataError naming file and line.
ScoreReport score_file(const EvalSlot& eval, int64_t* num_samples = nullptr);

/// {name, data, signature, scores: {name: value}}
Value to_value(const ScoreReport& report);
/// Adds "NAME.SCORE" → value for every score.
void add_scores(Value& table, const ScoreReport& report);
/// "ppl (test)  perplexity 31.2  bits_per_byte 1.31"
std::string score_line(const ScoreReport& report);

}  // namespace mortise::core
