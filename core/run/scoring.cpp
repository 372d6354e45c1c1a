// Making metrics and reading predictions.
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

bool is_prediction_file(const std::string& data) {
  return data.ends_with(".jsonl") || data.find('/') != std::string::npos;
}

ScoreReport score_file(const EvalSlot& eval, int64_t* num_samples) {
  const std::string& path = eval.keys.data;
  if (eval.metric->needs() != Metric::Needs::Text)
    throw Error(
        Code::Usage,
        fmt::format(
            "[eval.{}] needs a model's likelihoods or scores; {} holds texts", eval.name, path),
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

}  // namespace mortise::core
