// Building a workspace: device, corpus, tokenizer, tokens, rows, specification.
#include "core/engine/train/workspace.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <malloc.h>

#include "mortise/error.hpp"
#include "mortise/log.hpp"
#include "mortise/names.hpp"
#include "mortise/patterns.hpp"

#include "core/engine/model/adapters.hpp"
#include "core/engine/model/open_model.hpp"
#include "core/engine/model/precision.hpp"

namespace mortise::core {

namespace {

template <class Table>
Table read_table(const Value& recipe, const char* name) {
  const Value* table = recipe.find(name);
  return table == nullptr ? Table{} : describe<Table>().read(*table, nullptr);
}

bool has_data(const Value& recipe, const char* kind) {
  const Value* data = recipe.find("data");
  const Value* tables = data == nullptr ? nullptr : data->find(kind);
  return tables != nullptr && !tables->as_table().empty();
}

// True when some [eval.*] reads the training texts themselves.
bool evaluates_train(const Value& recipe) {
  const Value* evals = recipe.find("eval");
  if (evals == nullptr) return false;
  const auto& tables = evals->as_table();
  return std::any_of(tables.begin(), tables.end(), [](const auto& entry) {
    return entry.second.get("data", "dev") == "train";
  });
}

// The specification with what the data decides.
Value spec_of(const Workspace& space) {
  const Value* model = space.recipe.find("model");
  if (model == nullptr) return {};
  Value spec = *model;
  const int64_t vocab = spec.get("vocab", int64_t{0});
  if (space.tokenizer != nullptr) {
    if (vocab == 0)
      spec["vocab"] = space.tokenizer->vocab_size();
    else if (vocab < space.tokenizer->vocab_size())
      throw Error(Code::Usage,
                  fmt::format("model.vocab is {} and the tokenizer has {} tokens",
                              vocab,
                              space.tokenizer->vocab_size()),
                  "leave model.vocab out: it becomes the tokenizer's size");
  }
  if (spec.get("max_seq_len", int64_t{0}) == 0) spec["max_seq_len"] = space.tables.batch.seq_len;
  return spec;
}

BuildContext build_context(const Value& spec, const Tables& tables, at::Device device) {
  BuildContext build;
  build.dtype = scalar_type_of(tables.run.dtype);
  build.device = device;
  build.max_seq_len = spec.get("max_seq_len", int64_t{0});
  return build;
}

// What an export will ask of the adapter is asked before training.
void check_merges(const Adapter& adapter, const Workspace& space) {
  const Value* tables = space.recipe.find("export");
  if (tables == nullptr || adapter.can_merge()) return;
  for (const auto& [name, table] : tables->as_table())
    if (table.get("type", "") != "none" && table.get("merge_adapter", false))
      throw Error(
          Code::Usage,
          fmt::format("[export.{}] merges the adapter, and [adapter] \"{}\" cannot be folded "
                      "into the weights",
                      name,
                      space.recipe.at("adapter").get("type", "")),
          fmt::format("export.{}.merge_adapter = false", name));
}

// The tokens that an adapter puts before a document take positions of the model.
void check_window(const Adapter& adapter, const Workspace& space) {
  const int64_t added = adapter.virtual_tokens(), window = space.tables.batch.seq_len,
                limit = space.tables.model.max_seq_len;
  if (added == 0) return;
  if (added >= window)
    throw Error(Code::Usage,
                fmt::format("the adapter puts {} tokens before every document, and a window "
                            "(batch.seq_len) holds {}",
                            added,
                            window),
                fmt::format("lower adapter.tokens, or batch.seq_len = {}", 2 * added));
  if (limit > 0 && added + window > limit)
    throw Error(
        Code::Usage,
        fmt::format("{} virtual tokens and a window of {} (batch.seq_len) reach beyond the {} "
                    "positions that the model was made for",
                    added,
                    window,
                    limit),
        fmt::format("batch.seq_len = {}", limit - added));
}

// The number of steps may follow from tokens or epochs, which only the data tell.
void check_profile(const Workspace& space) {
  for (const int64_t step : space.tables.profile.steps)
    if (step > space.total_steps)
      throw Error(
          Code::Usage,
          fmt::format(
              "profile.steps names step {}, and the run ends after {}", step, space.total_steps),
          fmt::format("profile.steps = [{}]", space.total_steps));
}

// A group that means no trained parameter would change nothing, and nobody would know.
void check_groups(const LanguageModel& model, const Workspace& space) {
  std::vector<std::string> trained, frozen;
  for (const NamedTensor& parameter : model.parameters())
    (parameter.tensor.requires_grad() ? trained : frozen).push_back(parameter.name);
  std::vector<std::pair<std::string, std::string>> patterns;
  for (const auto& [name, group] : space.tables.optimizer.groups) {
    patterns.emplace_back(name, group.match);
    const auto is_meant = [&match = group.match](const std::string& parameter) {
      return matches(match, parameter);
    };
    if (std::any_of(trained.begin(), trained.end(), is_meant) ||
        std::none_of(frozen.begin(), frozen.end(), is_meant))
      continue;
    throw Error(Code::Usage,
                fmt::format("optimizer.groups.{}.match = \"{}\" matches only parameters that "
                            "[adapter] freezes",
                            name,
                            group.match),
                fmt::format("take [optimizer.groups.{}] out, or match what is trained, such as {}",
                            name,
                            trained.empty() ? "nothing" : trained.front()));
  }
  check_patterns("optimizer.groups", patterns, trained);
}

}  // namespace

Tables read_tables(const Value& recipe) {
  Tables tables;
  tables.recipe = read_table<RecipeTable>(recipe, "recipe");
  tables.run = read_table<RunTable>(recipe, "run");
  tables.batch = read_table<BatchTable>(recipe, "batch");
  tables.ema = read_table<EmaTable>(recipe, "ema");
  tables.checkpoint = read_table<CheckpointTable>(recipe, "checkpoint");
  tables.log = read_table<LogTable>(recipe, "log");
  tables.profile = read_table<ProfileTable>(recipe, "profile");
  tables.generate = read_table<GenerateTable>(recipe, "generate");
  tables.optimizer = read_table<OptimizerKeys>(recipe, "optimizer");
  tables.model = read_table<ModelTable>(recipe, "model");
  return tables;
}

std::unique_ptr<Device> make_device(const Value& recipe, Host& host) {
  Value config = Value::table();
  config["type"] = read_table<RunTable>(recipe, "run").device;
  return make<Device>(host, config, {});
}

Workspace make_workspace(const Value& recipe, Host& host, const WorkspaceOptions& options) {
  Workspace space;
  space.recipe = recipe;
  space.host = &host;
  space.tables = read_tables(recipe);
  space.device = make_device(recipe, host);
  if (has_data(recipe, "train") || has_data(recipe, "eval"))
    space.corpus = load_corpus(recipe, host);
  if (recipe.find("tokenizer") != nullptr)
    space.tokenizer = make_tokenizer(recipe, host, space.corpus, options.saved_tokenizer);
  if (options.train) {
    const auto seed = static_cast<uint64_t>(space.tables.run.seed);
    const std::string& by = space.tables.batch.curriculum.by;
    space.tokens = tokenize(*space.tokenizer,
                            corpus_part(space.corpus, "train"),
                            space.corpus.sources,
                            seed,
                            by == "length" || by == "perplexity" ? "" : by);
    if (by == "perplexity" && options.difficulty)
      space.tokens.difficulty = options.difficulty(space);
    if (!space.tokens.has_eos)
      log::warn("the tokenizer has no end-of-text token: the model will not learn to stop");
    space.rows = std::make_unique<RowSet>(space.tokens, space.tables.batch, seed);
    if (space.rows->num_overlong() > 0)
      log::info("documents longer than a row count={} seq_len={} policy={}",
                space.rows->num_overlong(),
                space.tables.batch.seq_len,
                space.tables.batch.overlong);
    if (space.rows->num_untrained() > 0)
      log::warn("documents left out: nothing in them is trained count={} of={}",
                space.rows->num_untrained(),
                space.tokens.num_documents());
    space.total_steps = total_steps(space.tables.run, space.tables.batch, *space.rows);
    check_profile(space);
    if (!options.keep_train_texts && !evaluates_train(recipe)) {
      space.corpus.parts.erase("train");
      malloc_trim(
          0);  // a hundred thousand small strings were freed: give their pages back before training
    }
  }
  space.model_spec = spec_of(space);
  return space;
}

RowOrder make_order(const Workspace& space) {
  const BatchTable& batch = space.tables.batch;
  Ramp ramp;
  if (!batch.curriculum.by.empty()) {
    const double rows = static_cast<double>(space.total_steps * batch.global);
    ramp = {static_cast<int64_t>(rows * batch.curriculum.over), batch.curriculum.start};
  }
  return {
      space.rows->num_rows(), batch.shuffle, static_cast<uint64_t>(space.tables.run.seed), ramp};
}

std::shared_ptr<LanguageModel> build_base(const Value& spec,
                                          const Tables& tables,
                                          Host& host,
                                          at::Device device) {
  auto model = LanguageModel::build(spec, host, build_context(spec, tables, device));
  apply_precision(*model, tables.run, /*is_whole=*/false);
  return model;
}

std::shared_ptr<LanguageModel> build_model(const Workspace& space,
                                           const Value& spec,
                                           at::Device device) {
  const auto model = build_base(spec, space.tables, *space.host, device);
  model->set_embedding_noise(space.tables.run.neftune_alpha);
  const bool is_sample = !(spec == space.model_spec);
  if (const Value* table = space.recipe.find("adapter");
      table != nullptr && table->get("type", "") != "none") {
    attach_adapter(
        *model, *table, *space.host, build_context(spec, space.tables, device), is_sample);
    check_window(*model->adapter(), space);
    check_merges(*model->adapter(), space);
  }
  apply_precision(*model, space.tables.run, /*is_whole=*/!is_sample);
  if (is_sample) return model;
  check_groups(*model, space);
  for (auto& strategy : make_strategies(space, model->num_layers(), *model))
    model->wrap_units(std::move(strategy));
  return model;
}

std::vector<std::shared_ptr<Parallel>> make_strategies(const Workspace& space,
                                                       int64_t num_layers,
                                                       const LanguageModel& model) {
  std::vector<std::shared_ptr<Parallel>> strategies;
  const Value* tables = space.recipe.find("parallel");
  if (tables == nullptr) return strategies;
  ParallelArgs args;
  args.num_layers = num_layers;
  for (const NamedTensor& tensor : model.tensors()) args.tensors.push_back(tensor.tensor);
  for (const auto& [name, table] : tables->as_table())
    strategies.push_back(make<Parallel>(*space.host, table, args));
  std::stable_sort(strategies.begin(), strategies.end(), [](const auto& a, const auto& b) {
    return a->phase() < b->phase();
  });
  return strategies;
}

}  // namespace mortise::core
