// What a path may be, in the order in which it is tried: config.json → a foreign folder;
// model.safetensors beside a manifest → a checkpoint of a run; resolved.toml → a run.
#include "core/engine/model/open_model.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/safetensors.hpp"

#include "core/engine/model/adapters.hpp"
#include "core/recipe/resolve.hpp"

namespace mortise::core {

namespace {

namespace fs = std::filesystem;

template <class Interface>
std::unique_ptr<Interface> make_named(const std::string& name, Host& host) {
  Value config = Value::table();
  config["type"] = name;
  return make<Interface>(host, config, {});
}

std::string names_of(const std::vector<const ComponentEntry*>& entries) {
  std::string text;
  for (const ComponentEntry* entry : entries) text += (text.empty() ? "" : ", ") + entry->name;
  return text.empty() ? "none" : text;
}

/// The newest ckpt/step-N of a run directory.
std::optional<fs::path> newest_checkpoint(const fs::path& run) {
  std::optional<fs::path> newest;
  int64_t best = -1;
  std::error_code absent;
  for (const fs::directory_entry& entry : fs::directory_iterator(run / "ckpt", absent)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("step-") || !fs::exists(entry.path() / "model.safetensors")) continue;
    const int64_t step = std::strtoll(name.c_str() + 5, nullptr, 10);
    if (step <= best) continue;
    best = step;
    newest = entry.path();
  }
  return newest;
}

std::optional<fs::path> first_export(const fs::path& run) {
  std::vector<fs::path> found;
  std::error_code absent;
  for (const fs::directory_entry& entry : fs::directory_iterator(run / "export", absent))
    if (fs::exists(entry.path() / "config.json")) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found.empty() ? std::nullopt : std::optional(found.front());
}

void check_tokenizer(const OpenedModel& opened) {
  if (opened.tokenizer == nullptr || opened.tokenizer->vocab_size() <= opened.model->vocab())
    return;
  throw DataError(fmt::format("the tokenizer has {} tokens, and the model knows only {}",
                              opened.tokenizer->vocab_size(),
                              opened.model->vocab()),
                  "tokenizer.json and config.json must come from one model");
}

OpenedModel open_foreign(const std::string& directory,
                         Host& host,
                         const Catalog& catalog,
                         at::ScalarType dtype) {
  OpenedModel opened;
  ForeignModel foreign = read_foreign_model(directory, host, catalog);
  opened.model = build_empty(foreign.spec, host, dtype);
  const OpenWeights weights = open_weights(directory, host, catalog);
  load_weights(*opened.model, *weights.reader, *foreign.architecture, foreign.spec);
  opened.tokenizer = open_tokenizer(directory, host, catalog);
  opened.spec = std::move(foreign.spec);
  opened.hf_config = std::move(foreign.hf_config);
  opened.weights = directory;
  return opened;
}

/// The [model] of a run, with what only its data decided: vocabulary and longest sequence.
Value spec_of_run(const Value& recipe,
                  const safetensors::File& weights,
                  Host& host,
                  const Catalog& catalog) {
  Value spec = recipe.at("model");
  if (const std::string from = spec.get("from", ""); !from.empty() && spec.find("layer") == nullptr)
    spec = read_foreign_model(from, host, catalog).spec;
  const safetensors::Entry* table = weights.header().find("model.embed_tokens.weight");
  if (spec.get("vocab", 0) == 0 && table != nullptr && !table->shape.empty())
    spec["vocab"] = table->shape[0];
  if (spec.get("max_seq_len", 0) == 0 && recipe.find("batch") != nullptr)
    spec["max_seq_len"] = recipe.at("batch").get("seq_len", 0);
  return spec;
}

OpenedModel open_checkpoint(const fs::path& checkpoint,
                            const fs::path& run,
                            Host& host,
                            const Catalog& catalog,
                            at::ScalarType dtype) {
  OpenedModel opened;
  const std::string file = (checkpoint / "model.safetensors").string();
  const Value recipe = resolve((run / "resolved.toml").string(), catalog).tree;
  opened.spec = spec_of_run(recipe, safetensors::File::open(file), host, catalog);
  opened.model = build_empty(opened.spec, host, dtype);
  if (const Value* adapter = recipe.find("adapter");
      adapter != nullptr && adapter->get("type", "") != "none") {
    BuildContext build;
    build.dtype = dtype;
    attach_adapter(*opened.model, *adapter, host, build, /*is_sample=*/false);
    opened.model->train(false);
  }
  opened.base = recipe.at("model").get("from", "");
  load_own_weights(*opened.model, file);
  opened.tokenizer = open_tokenizer((run / "tokenizer").string(), host, catalog);
  opened.weights = checkpoint.string();
  return opened;
}

/// Shows a safetensors file as a WeightReader.
class FileReader final : public WeightReader {
 public:
  explicit FileReader(safetensors::File file) : file_(std::move(file)) {
    for (const safetensors::Entry& entry : file_.header().entries)
      tensors_.push_back({entry.name, entry.dtype, entry.shape, entry.bytes()});
  }

  const std::vector<StoredTensor>& tensors() const override { return tensors_; }

  std::span<const std::byte> data(size_t index) const override {
    return file_.data(file_.header().entries.at(index));
  }

 private:
  safetensors::File file_;
  std::vector<StoredTensor> tensors_;
};

/// The name map of our own files: every name is itself.
class OwnNames final : public Architecture {
 public:
  explicit OwnNames(const LanguageModel& model) {
    for (const NamedTensor& tensor : model.tensors()) {
      TensorRule& rule = rules_.emplace_back();
      rule.ours = tensor.name;
      rule.theirs = {tensor.name};
    }
  }

  bool recognises(const Value&) const override { return false; }

  Value to_spec(const Value&) const override { return {}; }

  Value to_hf(const Value&) const override { return {}; }

  std::vector<TensorRule> names(const Value&) const override { return rules_; }

 private:
  std::vector<TensorRule> rules_;
};

}  // namespace

std::shared_ptr<LanguageModel> build_empty(const Value& spec, Host& host, at::ScalarType dtype) {
  BuildContext build;
  build.dtype = dtype;  // max_seq_len stays 0: position tables grow by need
  std::shared_ptr<LanguageModel> model = LanguageModel::build(spec, host, build);
  model->train(false);
  return model;
}

ForeignModel read_foreign_model(const std::string& directory, Host& host, const Catalog& catalog) {
  const std::string file = directory + "/config.json";
  ForeignModel foreign;
  foreign.hf_config = parse_json(read_file(file), file);
  const std::vector<const ComponentEntry*> entries = catalog.components("architecture");
  for (const ComponentEntry* entry : entries) {
    foreign.architecture = make_named<Architecture>(entry->name, host);
    if (!foreign.architecture->recognises(foreign.hf_config)) continue;
    try {
      foreign.spec = foreign.architecture->to_spec(foreign.hf_config);
    } catch (Error& error) {
      error.add_context("while reading " + file);
      throw;
    }
    return foreign;
  }
  throw DataError(fmt::format("no architecture recognises {} (model_type \"{}\"); tried: {}",
                              file,
                              foreign.hf_config.get("model_type", ""),
                              names_of(entries)),
                  "install a plugin that provides this architecture; `mortise inspect "
                  "architecture` lists those there are");
}

OpenWeights open_weights(const std::string& directory, Host& host, const Catalog& catalog) {
  const std::vector<const ComponentEntry*> entries = catalog.components("weight_format");
  for (const ComponentEntry* entry : entries) {
    OpenWeights weights;
    weights.format = make_named<WeightFormat>(entry->name, host);
    if (!weights.format->recognises(directory)) continue;
    weights.reader = weights.format->open(directory);
    return weights;
  }
  throw DataError(
      fmt::format(
          "no weights were found in {}; tried the formats: {}", directory, names_of(entries)),
      "expected model.safetensors, or shards with model.safetensors.index.json");
}

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& directory,
                                          Host& host,
                                          const Catalog& catalog) {
  if (!fs::exists(directory + "/tokenizer.json")) return nullptr;
  std::string said;
  const std::vector<const ComponentEntry*> entries = catalog.components("tokenizer");
  for (const ComponentEntry* entry : entries) {
    std::unique_ptr<Tokenizer> tokenizer = make_named<Tokenizer>(entry->name, host);
    try {
      tokenizer->load(directory);
      return tokenizer;
    } catch (const DataError& error) {
      said += fmt::format("\n    {}: {}", entry->name, error.message());
    }
  }
  throw DataError(fmt::format(
      "no tokenizer can read {}/tokenizer.json; tried: {}{}", directory, names_of(entries), said));
}

void load_own_weights(LanguageModel& model, const std::string& file) {
  try {
    load_weights(model,
                 FileReader(safetensors::File::open(file)),
                 OwnNames(model),
                 Value(),
                 /*with_adapter=*/true);
  } catch (Error& error) {
    error.add_context("while reading " + file);
    throw;
  }
}

at::ScalarType scalar_type_of(const std::string& dtype) {
  if (dtype == "fp32") return at::kFloat;
  if (dtype == "bf16") return at::kBFloat16;
  if (dtype == "fp16") return at::kHalf;
  throw Error(Code::Usage, fmt::format("dtype must be fp32, bf16 or fp16, got `{}`", dtype));
}

std::string dtype_text(at::ScalarType dtype) {
  return dtype == at::kFloat ? "fp32" : dtype == at::kBFloat16 ? "bf16" : "fp16";
}

OpenedModel open_model(const std::string& path,
                       Host& host,
                       const Catalog& catalog,
                       at::ScalarType dtype) {
  const fs::path folder = fs::path(path).lexically_normal();
  const auto opened = [&]() -> OpenedModel {
    if (fs::exists(folder / "config.json"))
      return open_foreign(folder.string(), host, catalog, dtype);
    if (fs::exists(folder / "model.safetensors")) {
      const fs::path run = fs::absolute(folder / ".." / "..").lexically_normal();
      if (fs::exists(run / "resolved.toml"))
        return open_checkpoint(folder, run, host, catalog, dtype);
    }
    if (fs::exists(folder / "resolved.toml")) {
      if (const auto checkpoint = newest_checkpoint(folder))
        return open_checkpoint(*checkpoint, folder, host, catalog, dtype);
      if (const auto exported = first_export(folder))
        return open_foreign(exported->string(), host, catalog, dtype);
      throw DataError(fmt::format("the run {} has neither a checkpoint nor an export yet", path));
    }
    throw DataError(fmt::format("{} is no model: expected config.json (a Hugging Face folder) or "
                                "resolved.toml (a run directory)",
                                path),
                    fs::exists(folder) ? "give the folder itself, not the one above it"
                                       : "there is no such folder");
  };
  OpenedModel model = opened();
  check_tokenizer(model);
  return model;
}

}  // namespace mortise::core
