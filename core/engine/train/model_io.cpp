// Reading model.from, continuing prompts, writing exports.
#include "core/engine/train/model_io.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/plugin/catalog.hpp"
#include "mortise/architecture.hpp"
#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/random.hpp"
#include "mortise/weight_format.hpp"

namespace mortise::core {

namespace {

template <class Interface>
std::unique_ptr<Interface> make_named(Host& host, const std::string& type) {
  Value config = Value::table();
  config["type"] = type;
  return make<Interface>(host, config, {});
}

/// The first provider of a kind that accepts; null when none does.
template <class Interface, class Accepts>
std::unique_ptr<Interface> first_that(const EngineCall& call, std::string_view kind, std::string& tried, const Accepts& accepts) {
  MORTISE_CHECK(call.catalog != nullptr, "no catalog of plugins was given");
  for (const ComponentEntry* entry : call.catalog->components(kind)) {
    auto component = make_named<Interface>(*call.host, entry->name);
    if (accepts(*component)) return component;
    tried += (tried.empty() ? "" : ", ") + entry->name;
  }
  return nullptr;
}

void load_folder(LanguageModel& model, const Workspace& space, const EngineCall& call, const std::string& folder) {
  const Value config = parse_json(read_file(folder + "/config.json"), folder + "/config.json");
  std::string tried;
  const auto architecture = first_that<Architecture>(call, "architecture", tried, [&](const Architecture& a) { return a.recognises(config); });
  if (architecture == nullptr) throw DataError(fmt::format("no architecture recognises {}/config.json; tried: {}", folder, tried));
  tried.clear();
  const auto format = first_that<WeightFormat>(call, "weight_format", tried, [&](const WeightFormat& f) { return f.recognises(folder); });
  if (format == nullptr) throw DataError(fmt::format("no weights were found in {}; tried: {}", folder, tried));
  load_weights(model, *format->open(folder), *architecture, space.model_spec);
}

/// Draws from softmax(logits / temperature) after top-k and top-p; greedy at temperature 0.
int64_t pick(const at::Tensor& logits_V, const GenerateTable& table, Philox& random) {
  if (table.temperature <= 0) return logits_V.argmax().item<int64_t>();
  auto [values, ids] = logits_V.to(at::kDouble).div(table.temperature).sort(/*dim=*/-1, /*descending=*/true);
  if (table.top_k > 0) values = values.narrow(0, 0, std::min(table.top_k, values.size(0)));
  const at::Tensor probabilities = at::softmax(values, -1).contiguous();
  const double* p = probabilities.data_ptr<double>();
  double mass = 0;
  int64_t kept = 0;
  while (kept < probabilities.size(0) && mass < table.top_p) mass += p[kept++];
  double draw = random.uniform() * mass;
  for (int64_t i = 0; i < kept; ++i)
    if ((draw -= p[i]) < 0) return ids[i].item<int64_t>();
  return ids[kept - 1].item<int64_t>();
}

std::string continue_one(LanguageModel& model, const Workspace& space, const std::string& prompt, int64_t max_new_tokens, Philox random) {
  const Tokenizer& tokenizer = *space.tokenizer;
  const auto bos = tokenizer.special(SpecialToken::Bos), eos = tokenizer.special(SpecialToken::Eos);
  std::vector<int64_t> ids;
  if (bos) ids.push_back(*bos);
  for (const int32_t id : tokenizer.encode(prompt, {.add_special = false, .parse_special = true, .offsets = false}).ids) ids.push_back(id);
  if (ids.empty()) return {};
  const int64_t limit = model.max_seq_len() > 0 ? model.max_seq_len() : INT64_MAX;
  KvCache cache(model.num_layers(), std::min(limit, static_cast<int64_t>(ids.size()) + max_new_tokens));
  std::vector<int32_t> fresh;
  at::Tensor next = at::tensor(ids, at::kLong).unsqueeze(0);
  while (static_cast<int64_t>(fresh.size()) < max_new_tokens && cache.length() + next.size(1) <= cache.capacity()) {
    TokenBatch batch;
    batch.ids_BT = next;
    batch.positions_BT = at::arange(cache.length(), cache.length() + next.size(1), at::kLong).unsqueeze(0);
    batch.cache = &cache;
    const int64_t before = cache.length();
    const at::Tensor hidden = model.forward(batch).hidden_BTD;
    if (cache.length() == before) cache.advance(next.size(1));
    const int64_t id = pick(model.head().logits(hidden[0].narrow(0, hidden.size(1) - 1, 1))[0], space.tables.generate, random);
    if (eos && id == *eos) break;
    fresh.push_back(static_cast<int32_t>(id));
    next = at::full({1, 1}, id, at::kLong);
  }
  return tokenizer.decode(fresh, /*skip_special=*/true);
}

}  // namespace

void fill_model(LanguageModel& model, const Workspace& space, const EngineCall& call) {
  const ModelTable& table = space.tables.model;
  if (table.from.empty()) initialise(model, static_cast<uint64_t>(space.tables.run.seed), table.init.std, table.init.scale_residual);
  else load_folder(model, space, call, table.from);
}

Continue make_continue(LanguageModel& model, const Workspace& space) {
  return [&model, &space](const std::vector<std::string>& prompts, int64_t max_new_tokens) {
    at::NoGradGuard no_grad;
    const bool was_training = model.is_training();
    model.train(false);
    std::vector<std::string> texts;
    for (size_t i = 0; i < prompts.size(); ++i)
      texts.push_back(continue_one(model, space, prompts[i], max_new_tokens, Philox(mix_key(static_cast<uint64_t>(space.tables.run.seed), "generate"), i)));
    model.train(was_training);
    return texts;
  };
}

std::vector<std::string> export_all(LanguageModel& model, const Workspace& space, const EngineCall& call, const std::string& run_dir) {
  std::vector<std::string> lines;
  const Value* tables = space.recipe.find("export");
  if (tables == nullptr) return lines;
  for (const auto& [name, table] : tables->as_table()) {
    const std::string type = table.get("type", "");
    if (type == "none") continue;
    const ExportKeys keys = describe<ExportKeys>().read(table, nullptr);
    const std::string folder = fmt::format("{}/export/{}", run_dir, name);
    const auto format = make<WeightFormat>(*call.host, table, {});
    const auto architecture = make_named<Architecture>(*call.host, keys.architecture);
    Value extra = Value::table();
    const auto special = [&](const char* key, SpecialToken token) {
      if (const auto id = space.tokenizer->special(token)) extra[key] = int64_t{*id};
    };
    special("bos_token_id", SpecialToken::Bos);
    special("eos_token_id", SpecialToken::Eos);
    special("pad_token_id", SpecialToken::Pad);
    save_weights(model, folder, *format, *architecture, space.model_spec, scalar_type_of(keys.dtype), extra);
    space.tokenizer->save(folder);
    lines.push_back(fmt::format("export {} ({}, {})", folder, keys.architecture, keys.dtype));
  }
  return lines;
}

}  // namespace mortise::core
