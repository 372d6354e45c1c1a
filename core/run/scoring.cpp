// Summing statistics and reading predictions.
#include "core/run/scoring.hpp"

#include <fstream>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"

namespace mortise::core {

std::vector<EvalSlot> make_evals(const Value& recipe, Host& host) {
  std::vector<EvalSlot> evals;
  const Value* tables = recipe.find("eval");
  if (tables == nullptr) return evals;
  for (const auto& [name, table] : tables->as_table()) {
    if (table.get("type", "") == "none") continue;
    evals.push_back(
        {name, describe<EvalKeys>().read(table, nullptr), make<Metric>(host, table, {})});
  }
  return evals;
}

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

bool is_prediction_file(const std::string& data) {
  return data.ends_with(".jsonl") || data.find('/') != std::string::npos;
}

ScoreReport score_file(const EvalSlot& eval, int64_t* num_samples) {
  const std::string& path = eval.keys.data;
  if (eval.metric->needs() != Metric::Needs::Text)
    throw Error(
        Code::Usage,
        fmt::format("[eval.{}] needs a model's likelihoods; {} holds texts", eval.name, path),
        "choose a metric on texts, or a part of the data");
  std::ifstream file(path);
  if (!file) throw DataError(fmt::format("[eval.{}]: cannot open {}", eval.name, path));
  ScoreSum sum(*eval.metric);
  int64_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string place = fmt::format("{}:{}", path, number);
    const Value row = parse_json(line, place);
    const Value *prediction = row.find("prediction"), *one = row.find("reference"),
                *many = row.find("references");
    if (prediction == nullptr || !prediction->is_string() || (one == nullptr && many == nullptr))
      throw DataError(
          fmt::format("{}: expected `prediction` and `references` (or `reference`)", place));
    std::vector<std::string> references;
    if (many != nullptr)
      for (const Value& text : many->as_array()) references.push_back(text.as_string());
    else
      references.push_back(one->as_string());
    if (references.empty()) throw DataError(fmt::format("{}: `references` is empty", place));
    Sample sample;
    sample.prediction = prediction->as_string();
    sample.references = references;
    sum.add(sample);
    if (eval.keys.limit > 0 && sum.count() == eval.keys.limit) break;
  }
  if (sum.count() == 0) throw DataError(fmt::format("{} holds no prediction", path));
  if (num_samples != nullptr) *num_samples = sum.count();
  return sum.report(eval.name, path);
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

}  // namespace mortise::core
