// Reading model.from, continuing prompts, writing exports: thin calls of
// engine/{model,generate,export}.
#include "core/engine/train/model_io.hpp"

#include <optional>

#include <ATen/ATen.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/torch/adapter_tools.hpp"

#include "core/engine/export/export_model.hpp"
#include "core/engine/generate/generator.hpp"
#include "core/engine/model/adapters.hpp"
#include "core/engine/model/open_model.hpp"

namespace mortise::core {

namespace {

std::string export_adapter(Adapter& adapter, const std::string& folder, const std::string& base) {
  save_adapter(adapter, folder, base);
  int64_t parameters = 0;
  for (const AdapterTensor& tensor : adapter.file_tensors()) parameters += tensor.tensor.numel();
  return fmt::format("export {} (adapter in PEFT's layout, {} parameters, base {})",
                     folder,
                     parameters,
                     base.empty() ? "without a folder" : base);
}

/// One [export.NAME].
struct Export {
  std::string name;
  Value table;
  ExportKeys keys;
  bool adapter_only = false;  // the trained tensors alone, in PEFT's layout
  bool merges = false;        // the adapter goes into the weights
};

std::vector<Export> exports_of(LanguageModel& model, const Workspace& space) {
  std::vector<Export> out;
  const Value* tables = space.recipe.find("export");
  if (tables == nullptr) return out;
  const bool has_file = model.has_adapter() && !model.adapter()->file_tensors().empty();
  for (const auto& [name, table] : tables->as_table()) {
    if (table.get("type", "") == "none") continue;
    Export one{name, table, describe<ExportKeys>().read(table, nullptr)};
    one.adapter_only = has_file && !one.keys.merge_adapter;
    one.merges = has_file && one.keys.merge_adapter;
    out.push_back(std::move(one));
  }
  return out;
}

std::unique_ptr<Architecture> architecture_of(const Export& one, Host& host) {
  Value use = Value::table();
  use["type"] = one.keys.architecture;
  return make<Architecture>(host, use, {});
}

// Merging must not change what is trained on or restored later.
std::shared_ptr<LanguageModel> copy_of(LanguageModel& model, const Workspace& space) {
  const at::NoGradGuard no_grad;
  const auto copy = build_model(space, space.model_spec, space.device->device());
  const std::vector<NamedTensor> from = model.tensors(), to = copy->tensors();
  for (size_t i = 0; i < from.size(); ++i) at::Tensor(to[i].tensor).copy_(from[i].tensor);
  return copy;
}

}  // namespace

void fill_model(LanguageModel& model, const Workspace& space, const EngineCall& call) {
  const ModelTable& table = space.tables.model;
  const auto seed = static_cast<uint64_t>(space.tables.run.seed);
  if (table.from.empty()) {
    initialise(model, seed, table.init.std, table.init.scale_residual);
  } else {
    MORTISE_CHECK(call.catalog != nullptr, "no catalog of plugins was given");
    const ForeignModel foreign = read_foreign_model(table.from, *call.host, *call.catalog);
    const OpenWeights weights = open_weights(table.from, *call.host, *call.catalog);
    load_weights(model, *weights.reader, *foreign.architecture, space.model_spec);
  }
  start_adapter(model, space.recipe.find("adapter"), space.tokenizer.get(), seed, table.init.std);
}

Continue make_continue(LanguageModel& model, const Workspace& space) {
  return [&model, &space](const std::vector<std::string>& prompts, int64_t max_new_tokens) {
    const GenerateTable& table = space.tables.generate;
    GenerateOptions options;
    options.max_new_tokens = max_new_tokens;
    options.sampling = {table.temperature, table.top_k, table.top_p};
    options.seed = static_cast<uint64_t>(space.tables.run.seed);
    if (const auto eos = space.tokenizer->special(SpecialToken::Eos))
      options.stop_ids.push_back(*eos);
    std::vector<std::vector<int32_t>> encoded;
    for (const std::string& prompt : prompts)
      encoded.push_back(encode_prompt(*space.tokenizer, prompt));
    std::vector<std::string> texts;
    for (const Continuation& continuation : generate(model, encoded, options))
      texts.push_back(space.tokenizer->decode(continuation.ids, /*skip_special=*/true));
    return texts;
  };
}

void check_exports(LanguageModel& model, const Workspace& space) {
  for (const Export& one : exports_of(model, space)) {
    if (one.adapter_only) continue;
    try {
      check_writable(model, *architecture_of(one, *space.host), space.model_spec);
    } catch (Error& error) {
      error.add_context(fmt::format("for [export.{}], written when training ends", one.name));
      throw;
    }
  }
}

std::vector<std::string> export_all(LanguageModel& model,
                                    const Workspace& space,
                                    const EngineCall& call,
                                    const std::string& run_dir) {
  std::vector<std::string> lines;
  for (const Export& one : exports_of(model, space)) {
    const ExportKeys& keys = one.keys;
    const std::string folder = fmt::format("{}/export/{}", run_dir, one.name);
    if (one.adapter_only) {
      lines.push_back(export_adapter(*model.adapter(), folder, space.tables.model.from));
      continue;
    }
    const auto merged = one.merges ? copy_of(model, space) : nullptr;
    std::optional<Agreement> merge;
    if (merged != nullptr) merge = merge_adapter(*merged, keys.verify);
    const ExportReport report = export_model(merged == nullptr ? model : *merged,
                                             space.model_spec,
                                             Value(),
                                             space.tokenizer.get(),
                                             *architecture_of(one, *call.host),
                                             *make<WeightFormat>(*call.host, one.table, {}),
                                             folder,
                                             {scalar_type_of(keys.dtype), keys.verify});
    lines.push_back(fmt::format("export {} ({}, {}; {} rows read back, largest difference {:.2g})",
                                folder,
                                keys.architecture,
                                keys.dtype,
                                report.verified_rows,
                                report.largest_difference));
    if (!merge) continue;
    write_file(folder + "/merge_report.json", to_json(merge->to_value(), 2) + "\n");
    lines.push_back(
        fmt::format("merged   {} (logits move by at most {:.2g}, KL {:.2g}, {:.2f} % of "
                    "the likeliest tokens agree)",
                    folder,
                    merge->max_difference,
                    merge->kl,
                    100 * merge->top1));
  }
  return lines;
}

}  // namespace mortise::core
