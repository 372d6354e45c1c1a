// `mortise score`: the log-probability of every token, and on request the raw scores, so that
// anyone can check that the same weights give the same numbers here as elsewhere.
//
// Options: model; adapter (see choose_adapter), use; one of text, ids ("1,2,3"), file (JSONL with
// `text` or `ids`); json; logits (a safetensors file with `ids` [T] int64 and `logits` [T, V]
// float32).  The first token has no log-probability: nothing comes before it.
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/torch/state_file.hpp"

#include "core/engine/generate/score.hpp"
#include "core/engine/model/adapter_set.hpp"
#include "core/engine/verbs.hpp"

namespace mortise::core {

namespace {

std::vector<int32_t> parse_ids(std::string_view text) {
  std::vector<int32_t> ids;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  while (at < end) {
    int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    MORTISE_CHECK(error == std::errc() && (next == end || *next == ','),
                  "--ids must be numbers separated by commas, got `{}`",
                  text);
    ids.push_back(id);
    at = next == end ? end : next + 1;
  }
  return ids;
}

std::vector<int32_t> ids_of_text(const OpenedModel& opened, const std::string& text) {
  if (opened.tokenizer == nullptr)
    throw DataError(
        fmt::format("{} has no tokenizer.json, so text cannot be scored", opened.weights),
        "give --ids, or put tokenizer.json beside config.json");
  return opened.tokenizer
      ->encode(text, {.add_special = true, .parse_special = true, .offsets = false})
      .ids;
}

std::vector<int32_t> ids_of_record(const OpenedModel& opened,
                                   const Value& record,
                                   const std::string& place) {
  if (const Value* ids = record.find("ids"); ids != nullptr) {
    std::vector<int32_t> out;
    for (const Value& id : ids->as_array()) out.push_back(static_cast<int32_t>(id.as_int()));
    return out;
  }
  const Value* text = record.find("text");
  if (text == nullptr)
    throw DataError(fmt::format("{}: a record has neither `text` nor `ids`", place));
  return ids_of_text(opened, text->as_string());
}

std::vector<std::vector<int32_t>> inputs_of(const OpenedModel& opened, const Value& options) {
  const std::string file = options.get("file", "");
  const Value *text = options.find("text"), *ids = options.find("ids");
  const int given = (file.empty() ? 0 : 1) + (text != nullptr ? 1 : 0) + (ids != nullptr ? 1 : 0);
  MORTISE_CHECK(given == 1, "score needs exactly one of --text, --ids and --file, got {}", given);
  if (text != nullptr) return {ids_of_text(opened, text->as_string())};
  if (ids != nullptr) return {parse_ids(ids->as_string())};
  std::vector<std::vector<int32_t>> inputs;
  const std::string content = read_file(file);
  int64_t number = 0;
  for (size_t begin = 0; begin < content.size();) {
    const size_t end = std::min(content.find('\n', begin), content.size());
    const std::string_view line = std::string_view(content).substr(begin, end - begin);
    const std::string place = fmt::format("{}:{}", file, ++number);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos)
      inputs.push_back(ids_of_record(opened, parse_json(line, place), place));
    begin = end + 1;
  }
  return inputs;
}

Value to_value(const Score& score, const std::vector<int32_t>& ids) {
  Value out = Value::table(), id_list = Value::array(), logs = Value::array();
  for (const int32_t id : ids) id_list.as_array().emplace_back(int64_t{id});
  logs.as_array().emplace_back();  // nothing comes before the first token
  for (const double value : score.log_probs) logs.as_array().emplace_back(value);
  out["ids"] = std::move(id_list);
  out["log_probs"] = std::move(logs);
  out["sum"] = score.sum;
  out["scored_tokens"] = static_cast<int64_t>(score.log_probs.size());
  out["perplexity"] = score.perplexity();
  return out;
}

void print_table(const OpenedModel& opened, const Score& score, const std::vector<int32_t>& ids) {
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string token =
        opened.tokenizer == nullptr
            ? ""
            : to_json(Value(opened.tokenizer->decode({ids[i]}, /*skip_special=*/false)));
    fmt::print("{:>6} {:>8}  {}\n",
               ids[i],
               i == 0 ? "" : fmt::format("{:.4f}", score.log_probs[i - 1]),
               token);
  }
  fmt::print("sum {:.6f}  tokens {}  perplexity {:.4f}\n",
             score.sum,
             score.log_probs.size(),
             score.perplexity());
}

}  // namespace

double Score::perplexity() const {
  return log_probs.empty() ? 1.0 : std::exp(-sum / static_cast<double>(log_probs.size()));
}

at::Tensor all_logits(LanguageModel& model, const std::vector<int32_t>& ids) {
  MORTISE_CHECK(!ids.empty(), "there is no token to score");
  const c10::InferenceMode inference;
  const at::Tensor ids_BT =
      at::tensor(std::vector<int64_t>(ids.begin(), ids.end()), at::kLong).unsqueeze(0);
  const at::Tensor hidden_TD = model.forward(plain_batch(ids_BT)).hidden_BTD[0];
  return model.head().logits(hidden_TD).to(at::kFloat).contiguous();
}

Score score_of(const at::Tensor& logits_TV, const std::vector<int32_t>& ids) {
  Score score;
  const int64_t targets = static_cast<int64_t>(ids.size()) - 1;
  if (targets < 1) return score;
  const c10::InferenceMode inference;
  const at::Tensor targets_N =
      at::tensor(std::vector<int64_t>(ids.begin() + 1, ids.end()), at::kLong);
  const at::Tensor logs_N = at::log_softmax(logits_TV.narrow(0, 0, targets), -1, at::kDouble)
                                .gather(1, targets_N.unsqueeze(1))
                                .squeeze(1)
                                .contiguous();
  const double* logs = logs_N.const_data_ptr<double>();
  score.log_probs.assign(logs, logs + targets);
  for (const double value : score.log_probs) score.sum += value;
  return score;
}

int run_score(const EngineCall& call) {
  const Value& options = *call.options;
  const OpenedModel opened = open_model(options.at("model").as_string(), *call.host, *call.catalog);
  AdapterSet adapters(opened, *call.host, *call.catalog);
  LanguageModel& model = choose_adapter(adapters, options);
  const std::vector<std::vector<int32_t>> inputs = inputs_of(opened, options);
  const std::string logits_file = options.get("logits", "");
  MORTISE_CHECK(logits_file.empty() || inputs.size() == 1,
                "--logits writes one text, got {} records",
                inputs.size());
  const bool as_json = options.get("json", false);
  Score total;
  for (const std::vector<int32_t>& ids : inputs) {
    const at::Tensor logits_TV = all_logits(model, ids);
    const Score score = score_of(logits_TV, ids);
    if (!logits_file.empty())
      write_tensors(logits_file,
                    {{"ids", at::tensor(std::vector<int64_t>(ids.begin(), ids.end()), at::kLong)},
                     {"logits", logits_TV}});
    if (as_json)
      fmt::print("{}\n", to_json(to_value(score, ids)));
    else
      print_table(opened, score, ids);
    total.sum += score.sum;
    total.log_probs.insert(total.log_probs.end(), score.log_probs.begin(), score.log_probs.end());
  }
  if (inputs.size() == 1) return 0;
  if (!as_json) {
    fmt::print("all: sum {:.6f}  tokens {}  perplexity {:.4f}\n",
               total.sum,
               total.log_probs.size(),
               total.perplexity());
    return 0;
  }
  Value all = Value::table();
  all["total"]["sum"] = total.sum;
  all["total"]["scored_tokens"] = static_cast<int64_t>(total.log_probs.size());
  all["total"]["perplexity"] = total.perplexity();
  fmt::print("{}\n", to_json(all));
  return 0;
}

}  // namespace mortise::core
