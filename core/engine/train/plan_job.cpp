// The engine's verbs "plan" and "data": they read data, and neither weights nor gradients.
//
// Options: plan: {json, notes}; data: {what: "stats" or "preview", rows, json}.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <unistd.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"
#include "mortise/torch/state_file.hpp"
#include "mortise/units.hpp"

#include "core/engine/train/plan.hpp"
#include "core/engine/train/progress.hpp"
#include "core/engine/verbs.hpp"

namespace mortise::core {

namespace {

constexpr int64_t kBarWidth = 40;

/// Documents by length, in classes that double.
std::vector<std::pair<int64_t, int64_t>> length_classes(const TokenSet& tokens) {
  std::vector<std::pair<int64_t, int64_t>> classes;  // upper bound, documents
  for (int64_t d = 0; d < tokens.num_documents(); ++d) {
    const int64_t length =
        tokens.begins[static_cast<size_t>(d) + 1] - tokens.begins[static_cast<size_t>(d)];
    size_t place = 0;
    for (int64_t bound = 8; bound < length; bound *= 2) ++place;
    while (classes.size() <= place) classes.emplace_back(int64_t{8} << classes.size(), 0);
    ++classes[place].second;
  }
  return classes;
}

Value stats_value(const Workspace& space) {
  Value out = Value::table();
  for (const SourceCount& source : space.corpus.sources) {
    Value& entry = out["sources"][source.name];
    entry["records"] = source.report.records;
    entry["bytes"] = source.report.bytes;
    entry["skipped"] = source.report.skipped;
    entry["repaired"] = source.report.repaired;
    entry["weight"] = source.weight;
    entry["fingerprint"] = source.fingerprint;
  }
  for (const StepCount& step : space.corpus.steps) {
    Value& entry = out["steps"][step.name];
    entry["in"] = step.in;
    entry["out"] = step.out;
    entry["dropped"] = Value::table();
    for (const auto& [reason, count] : step.dropped) entry["dropped"][reason] = count;
  }
  for (const auto& [part, rows] : space.corpus.parts)
    if (!rows.empty()) out["parts"][part] = static_cast<int64_t>(rows.size());
  Value histogram = Value::array();
  for (const auto& [bound, count] : length_classes(space.tokens)) {
    Value entry = Value::table();
    entry["up_to"] = bound;
    entry["documents"] = count;
    histogram.as_array().push_back(std::move(entry));
  }
  out["tokens"]["documents"] = space.tokens.num_documents();
  out["tokens"]["tokens"] = space.tokens.num_tokens();
  out["tokens"]["lengths"] = histogram;
  out["rows"]["count"] = space.rows->num_rows();
  out["rows"]["full"] = static_cast<double>(space.rows->total_inputs()) /
                        static_cast<double>(space.rows->num_rows() * space.rows->seq_len());
  out["rows"]["targets"] = space.rows->total_targets();
  out["rows"]["overlong_documents"] = space.rows->num_overlong();
  out["rows"]["untrained_documents"] = space.rows->num_untrained();
  out["fingerprint"] = space.corpus.fingerprint;
  return out;
}

std::string stats_text(const Workspace& space) {
  std::string text = fmt::format(
      "{:<24} {:>10} {:>12} {:>9} {:>9}\n", "source", "records", "bytes", "skipped", "repaired");
  for (const SourceCount& s : space.corpus.sources)
    text += fmt::format("{:<24} {:>10} {:>12} {:>9} {:>9}\n",
                        s.name,
                        grouped(s.report.records),
                        grouped(s.report.bytes),
                        s.report.skipped,
                        s.report.repaired);
  if (!space.corpus.steps.empty())
    text += fmt::format("\n{:<24} {:>10} {:>12}  dropped\n", "step", "in", "out");
  for (const StepCount& step : space.corpus.steps) {
    std::string reasons;
    for (const auto& [reason, count] : step.dropped)
      reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", reason, grouped(count));
    text += fmt::format("{:<24} {:>10} {:>12}  {}\n",
                        step.name,
                        grouped(step.in),
                        grouped(step.out),
                        reasons.empty() ? "nothing" : reasons);
  }
  text += fmt::format("\n{:<24} {:>10}\n", "part", "documents");
  for (const auto& [part, rows] : space.corpus.parts)
    if (!rows.empty())
      text += fmt::format("{:<24} {:>10}\n", part, grouped(static_cast<int64_t>(rows.size())));
  text +=
      fmt::format("\ntokens per document ({} tokens in all)\n", grouped(space.tokens.num_tokens()));
  const auto classes = length_classes(space.tokens);
  int64_t most = 1;
  for (const auto& entry : classes) most = std::max(most, entry.second);
  for (const auto& [bound, count] : classes)
    text += fmt::format("  ≤ {:>6} {:>10}  {}\n",
                        bound,
                        grouped(count),
                        std::string(static_cast<size_t>(kBarWidth * count / most), '#'));
  text += fmt::format(
      "\nrows       {} × {}, {:.1f} % full, {} targets, {} documents cut, {} left out (nothing "
      "trained)\n",
      grouped(space.rows->num_rows()),
      space.rows->seq_len(),
      100.0 * static_cast<double>(space.rows->total_inputs()) /
          static_cast<double>(space.rows->num_rows() * space.rows->seq_len()),
      grouped(space.rows->total_targets()),
      space.rows->num_overlong(),
      space.rows->num_untrained());
  return text;
}

// The documents of the first rows of training, each as runs of {text, train}.
Value preview_rows(const Workspace& space, int64_t count) {
  const RowOrder order = make_order(space);
  Value rows = Value::array();
  for (int64_t i = 0; i < std::min(count, space.rows->num_rows()); ++i) {
    Value documents = Value::array();
    for (const Piece& piece : space.rows->row(order.at(i))) {
      Value runs = Value::array();
      // The first token of a piece is never a target.
      const auto trains = [&](int64_t token) {
        return token > 0 && is_target(space.tokens, piece, token - 1);
      };
      for (int64_t from = 0, to = 1; from <= piece.length; from = to++) {
        while (to <= piece.length && trains(to) == trains(from)) ++to;
        const std::vector<int32_t> ids(space.tokens.ids.begin() + piece.begin + from,
                                       space.tokens.ids.begin() + piece.begin + to);
        runs.as_array().push_back(Value::Table{{"text", space.tokenizer->decode(ids, false)},
                                               {"train", trains(from)},
                                               {"tokens", to - from}});
      }
      documents.as_array().push_back(std::move(runs));
    }
    rows.as_array().push_back(std::move(documents));
  }
  return rows;
}

// On a terminal what is trained is green and the rest grey, elsewhere ⟦ ⟧ hold it.
void print_rows(const Value& rows) {
  const bool colour = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  int64_t number = 0;
  for (const Value& row : rows.as_array()) {
    fmt::print("row {} ({} documents; {} is trained)\n",
               ++number,
               row.as_array().size(),
               colour ? "\033[32mgreen\033[0m" : "⟦ ⟧");
    for (const Value& document : row.as_array()) {
      std::string line;
      for (const Value& run : document.as_array()) {
        const bool train = run.get("train", false);
        line += fmt::format("{}{}{}",
                            colour  ? train ? "\033[32m" : "\033[90m"
                            : train ? "⟦"
                                    : "",
                            run.at("text").as_string(),
                            colour  ? "\033[0m"
                            : train ? "⟧"
                                    : "");
      }
      fmt::print("  {}\n", line);
    }
  }
}

// The first rows of training as tensors: ids, positions, targets (−100 where masked) and segments,
// each [rows, T].
void write_batches(const Workspace& space, int64_t count, const std::string& path) {
  const RowOrder order = make_order(space);
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < count; ++i) indices.push_back(order.at(i));
  const Batch batch = make_batch(space.tokens, *space.rows, indices);
  at::Tensor targets = batch.targets_N.clone();
  if (batch.mask_N.defined()) targets.masked_fill_(batch.mask_N.logical_not(), -100);
  const at::IntArrayRef shape = batch.tokens.ids_BT.sizes();
  NamedTensors tensors = {{"ids", batch.tokens.ids_BT},
                          {"positions", batch.tokens.positions_BT},
                          {"targets", targets.view(shape)}};
  if (batch.tokens.segments_BT.defined())
    tensors.emplace_back("segments", batch.tokens.segments_BT.to(at::kLong));
  write_tensors(path, tensors);
}

}  // namespace

int run_plan(const EngineCall& call) {
  WorkspaceOptions options;
  options.keep_train_texts = true;
  const Workspace space = make_workspace(*call.recipe, *call.host, options);
  const Value* notes = call.options->find("notes");
  const JobPlan plan = make_plan(space, notes == nullptr ? Value::table() : *notes);
  if (call.options->get("json", false))
    fmt::print("{}\n", to_json(plan.value));
  else
    fmt::print("{}", plan.text);
  return plan.memory.peak < space.device->total_bytes() ? 0 : static_cast<int>(Code::DoesNotFit);
}

int run_data(const EngineCall& call) {
  WorkspaceOptions options;
  options.keep_train_texts = true;
  const Workspace space = make_workspace(*call.recipe, *call.host, options);
  const bool json = call.options->get("json", false);
  if (call.options->get("what", "stats") == "stats") {
    fmt::print("{}", json ? to_json(stats_value(space)) + "\n" : stats_text(space));
    return 0;
  }
  if (call.options->get("what", "") == "batches") {
    write_batches(space, call.options->get("rows", int64_t{3}), call.options->get("to", ""));
    return 0;
  }
  const Value rows = preview_rows(space, call.options->get("rows", int64_t{3}));
  if (json) {
    fmt::print("{}\n", to_json(rows));
    return 0;
  }
  print_rows(rows);
  return 0;
}

}  // namespace mortise::core
