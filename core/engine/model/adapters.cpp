// Making, starting and opening adapters.
#include "core/engine/model/adapters.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "mortise/error.hpp"
#include "mortise/log.hpp"
#include "mortise/torch/adapter_tools.hpp"

#include "core/recipe/resolve.hpp"

namespace mortise::core {

namespace {

void attach(LanguageModel& model,
            const Value& table,
            Host& host,
            const BuildContext& build,
            Value file,
            bool is_sample) {
  model.attach([&](LanguageModel& base) {
    const AdapterArgs args = {
        build, &base, base.width(), base.num_layers(), std::move(file), is_sample};
    return std::shared_ptr<Adapter>(make<Adapter>(host, table, args));
  });
}

/// The prompt's tokens, cut or repeated to `count`.
at::Tensor prompt_ids(const Tokenizer& tokenizer, const std::string& prompt, int64_t count) {
  const std::vector<int32_t> ids =
      tokenizer.encode(prompt, {.add_special = true, .parse_special = true, .offsets = false}).ids;
  MORTISE_CHECK(!ids.empty(), "the adapter's prompt has no token");
  const auto found = static_cast<int64_t>(ids.size());
  if (found != count)
    log::info("the adapter's prompt is {} to its tokens prompt={} tokens={}",
              found > count ? "cut" : "repeated",
              found,
              count);
  at::Tensor out = at::empty({1, count}, at::kLong);
  for (int64_t i = 0; i < count; ++i)
    out.mutable_data_ptr<int64_t>()[i] = ids[static_cast<size_t>(i % found)];
  return out;
}

/// What the recipe's check (E305) asks of [adapter] and the attentions of [model].
void check_capabilities(const std::string& type,
                        const Value& spec,
                        const std::string& file,
                        const Catalog& catalog) {
  ResolveOptions options;
  options.model_spec = &spec;
  options.model_folder = "the base";
  const std::string recipe =
      fmt::format("adapter.type = \"{}\"\nmodel.from = \".\"\nbatch.packing = false\n", type);
  for (const Diagnostic& found : check_recipe_text(recipe, file, catalog, options).diagnostics)
    if (found.code == "E305" && found.message.starts_with("[adapter]"))
      throw Error(Code::Usage, fmt::format("{}: {}", file, found.message), found.fix);
}

}  // namespace

void attach_adapter(LanguageModel& model,
                    const Value& table,
                    Host& host,
                    const BuildContext& build,
                    bool is_sample) {
  const std::string from = table.get("from", "");
  attach(model, table, host, build, from.empty() ? Value() : read_adapter_config(from), is_sample);
}

void start_adapter(LanguageModel& model,
                   const Value* table,
                   const Tokenizer* tokenizer,
                   uint64_t seed,
                   double std) {
  if (!model.has_adapter() || table == nullptr) return;
  Adapter& adapter = *model.adapter();
  initialise(model, seed, std, /*scale_residual=*/true, Initialise::Adapter);
  adapter.weights_loaded();
  const std::string from = table->get("from", "");
  if (!from.empty()) return load_adapter(adapter, from);
  const std::string prompt = adapter.initial_prompt();
  if (prompt.empty()) return;
  MORTISE_CHECK(tokenizer != nullptr, "the adapter starts from a text, and there is no tokenizer");
  model.start_adapter_from(prompt_ids(*tokenizer, prompt, adapter.virtual_tokens()));
}

void open_adapter(LanguageModel& model,
                  const Value& spec,
                  const std::string& directory,
                  Host& host,
                  const Catalog& catalog) {
  const Value file = read_adapter_config(directory);
  std::string capability = "peft_" + file.at("peft_type").as_string();
  std::transform(capability.begin(), capability.end(), capability.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  for (const ComponentEntry* entry : catalog.components("adapter")) {
    const std::vector<Capability>& provides = entry->schema().provides;
    if (std::none_of(provides.begin(), provides.end(), [&](const Capability& c) {
          return c.name == capability;
        }))
      continue;
    check_capabilities(entry->name, spec, directory + "/adapter_config.json", catalog);
    Value table = Value::table();
    table["type"] = entry->name;
    BuildContext build;
    build.dtype = model.parameters().front().tensor.scalar_type();
    build.num_layers = model.num_layers();
    attach(model, table, host, build, file, /*is_sample=*/false);
    model.adapter()->weights_loaded();
    load_adapter(*model.adapter(), directory);
    model.train(false);
    return;
  }
  throw DataError(
      fmt::format(
          "{}: no adapter plugin reads peft_type {}", directory, file.at("peft_type").as_string()),
      "`mortise inspect adapter` lists those there are");
}

}  // namespace mortise::core
