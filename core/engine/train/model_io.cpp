// Reading model.from, continuing prompts, writing exports: thin calls of
// engine/{model,generate,export}.
#include "core/engine/train/model_io.hpp"

#include <ATen/ATen.h>

#include "mortise/error.hpp"

#include "core/engine/export/export_model.hpp"
#include "core/engine/generate/generator.hpp"
#include "core/engine/model/open_model.hpp"

namespace mortise::core {

void fill_model(LanguageModel& model, const Workspace& space, const EngineCall& call) {
  const ModelTable& table = space.tables.model;
  if (table.from.empty()) {
    initialise(model,
               static_cast<uint64_t>(space.tables.run.seed),
               table.init.std,
               table.init.scale_residual);
    return;
  }
  MORTISE_CHECK(call.catalog != nullptr, "no catalog of plugins was given");
  const ForeignModel foreign = read_foreign_model(table.from, *call.host, *call.catalog);
  const OpenWeights weights = open_weights(table.from, *call.host, *call.catalog);
  load_weights(model, *weights.reader, *foreign.architecture, space.model_spec);
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

std::vector<std::string> export_all(LanguageModel& model,
                                    const Workspace& space,
                                    const EngineCall& call,
                                    const std::string& run_dir) {
  std::vector<std::string> lines;
  const Value* tables = space.recipe.find("export");
  if (tables == nullptr) return lines;
  for (const auto& [name, table] : tables->as_table()) {
    if (table.get("type", "") == "none") continue;
    const ExportKeys keys = describe<ExportKeys>().read(table, nullptr);
    const std::string folder = fmt::format("{}/export/{}", run_dir, name);
    Value architecture = Value::table();
    architecture["type"] = keys.architecture;
    const ExportReport report = export_model(model,
                                             space.model_spec,
                                             Value(),
                                             space.tokenizer.get(),
                                             *make<Architecture>(*call.host, architecture, {}),
                                             *make<WeightFormat>(*call.host, table, {}),
                                             *call.host,
                                             folder,
                                             {scalar_type_of(keys.dtype), keys.verify});
    lines.push_back(fmt::format("export {} ({}, {}; {} rows read back, largest difference {:.2g})",
                                folder,
                                keys.architecture,
                                keys.dtype,
                                report.verified_rows,
                                report.largest_difference));
  }
  return lines;
}

}  // namespace mortise::core
