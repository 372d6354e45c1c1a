// Adding up and writing down.
#include "mortise/scores.hpp"

#include <fmt/format.h>

#include "mortise/error.hpp"

namespace mortise {

void ScoreSum::add(const Sample& sample) {
  const Stats stats = metric_.sample(sample);
  if (sum_.empty()) sum_.resize(stats.size());
  MORTISE_CHECK_EQ(sum_.size(), stats.size(), "a metric changed the length of its statistics");
  for (size_t i = 0; i < stats.size(); ++i) sum_[i] += stats[i];
  ++count_;
}

ScoreReport ScoreSum::report(const std::string& name, const std::string& data) const {
  return {name, data, metric_.signature_of(sum_), metric_.compute(sum_)};
}

Value to_value(const ScoreReport& report) {
  Value out = Value::table();
  out["name"] = report.name;
  out["data"] = report.data;
  out["signature"] = report.signature;
  Value scores = Value::table();
  for (const Score& score : report.scores) scores[score.name] = score.value;
  out["scores"] = scores;
  return out;
}

void add_scores(Value& table, const ScoreReport& report) {
  for (const Score& score : report.scores) table[report.name + "." + score.name] = score.value;
}

std::string score_line(const ScoreReport& report) {
  std::string line = fmt::format("{} ({})", report.name, report.data);
  for (const Score& score : report.scores)
    line += fmt::format("  {} {:.4f}", score.name, score.value);
  return line;
}

}  // namespace mortise
