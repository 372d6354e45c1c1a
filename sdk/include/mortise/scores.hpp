// Sums of a metric's statistics, and scores as a table and as a line.
#pragma once

#include <string>

#include "mortise/metric.hpp"
#include "mortise/tracker.hpp"
#include "mortise/value.hpp"

namespace mortise {

/// Adds up samples of one metric.
class MORTISE_API ScoreSum {
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

/// {name, data, signature, scores: {name: value}}
MORTISE_API Value to_value(const ScoreReport& report);
/// Adds "NAME.SCORE" → value for every score.
MORTISE_API void add_scores(Value& table, const ScoreReport& report);
/// "ppl (test)  perplexity 31.2  bits_per_byte 1.31"
MORTISE_API std::string score_line(const ScoreReport& report);

}  // namespace mortise
