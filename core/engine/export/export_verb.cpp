// `mortise export`: a run, a checkpoint or a foreign folder → a folder that transformers loads.
//
// Options: model, to, dtype (fp32, bf16, fp16), architecture, format, verify, merge_adapter, json.
#include <cstdio>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"
#include "mortise/torch/adapter_tools.hpp"

#include "core/engine/export/export_model.hpp"
#include "core/engine/model/open_model.hpp"
#include "core/engine/verbs.hpp"

namespace mortise::core {

namespace {

template <class Interface>
std::unique_ptr<Interface> make_named(const std::string& name, Host& host) {
  Value config = Value::table();
  config["type"] = name;
  return make<Interface>(host, config, {});
}

/// The named architecture, else the one that reads the folder that the model came from, else the
/// first of all that can express the specification.
std::unique_ptr<Architecture> choose_architecture(const OpenedModel& opened,
                                                  const std::string& name,
                                                  const EngineCall& call) {
  if (!name.empty()) return make_named<Architecture>(name, *call.host);
  const std::string& folder = opened.hf_config.is_null() ? opened.base : opened.weights;
  if (!folder.empty() && std::filesystem::exists(folder + "/config.json"))
    return read_foreign_model(folder, *call.host, *call.catalog).architecture;
  std::string said;
  for (const ComponentEntry* entry : call.catalog->components("architecture")) {
    auto architecture = make_named<Architecture>(entry->name, *call.host);
    try {
      (void)architecture->to_hf(opened.spec);
      return architecture;
    } catch (const Error& error) {
      said += fmt::format("\n    {}: {}", entry->name, error.message());
    }
  }
  throw Error(Code::Usage,
              fmt::format("no architecture can express this model; tried:{}",
                          said.empty() ? " none" : said),
              "install a plugin that provides one, or change the model");
}

std::unique_ptr<WeightFormat> choose_format(const std::string& name, const EngineCall& call) {
  if (!name.empty()) return make_named<WeightFormat>(name, *call.host);
  const std::vector<const ComponentEntry*> entries = call.catalog->components("weight_format");
  if (entries.size() == 1) return make_named<WeightFormat>(entries.front()->name, *call.host);
  std::string names;
  for (const ComponentEntry* entry : entries) names += (names.empty() ? "" : ", ") + entry->name;
  throw Error(
      Code::Usage,
      fmt::format(
          "{} weight formats are installed: {}", entries.size(), names.empty() ? "none" : names),
      "choose one with --format");
}

void check_target(const std::string& directory) {
  std::error_code absent;
  const bool is_empty =
      !std::filesystem::exists(directory) || std::filesystem::is_empty(directory, absent);
  if (!is_empty)
    throw Error(Code::Usage,
                fmt::format("{} exists and is not empty: an export overwrites nothing", directory),
                "give --to a new folder");
}

}  // namespace

int run_export(const EngineCall& call) {
  const Value& options = *call.options;
  const std::string to = options.at("to").as_string();
  check_target(to);
  ExportOptions how;
  how.dtype = scalar_type_of(options.get("dtype", "fp32"));
  how.verify = options.get("verify", how.verify);
  const OpenedModel opened = open_model(options.at("model").as_string(), *call.host, *call.catalog);
  const bool has_file =
      opened.model->has_adapter() && !opened.model->adapter()->file_tensors().empty();
  if (has_file && !options.get("merge_adapter", false)) {
    save_adapter(*opened.model->adapter(), to, opened.base);
    fmt::print("exported the adapter of {} to {}\n", opened.weights, to);
    return 0;
  }
  std::optional<Agreement> merge;
  if (has_file) merge = merge_adapter(*opened.model, how.verify);
  const auto architecture = choose_architecture(opened, options.get("architecture", ""), call);
  const auto format = choose_format(options.get("format", ""), call);
  const ExportReport report = export_model(*opened.model,
                                           opened.spec,
                                           opened.hf_config,
                                           opened.tokenizer.get(),
                                           *architecture,
                                           *format,
                                           to,
                                           how);
  if (!options.get("json", false)) {
    if (merge)
      fmt::print("merged: logits move by at most {:.3g}, KL {:.3g}, top-1 agreement {:.4f}\n",
                 merge->max_difference,
                 merge->kl,
                 merge->top1);
    fmt::print("exported {} parameters from {} to {}\n", report.parameters, opened.weights, to);
    if (report.verified_rows > 0)
      fmt::print("read back: logits of {} rows differ by at most {:.3g} of the largest\n",
                 report.verified_rows,
                 report.largest_difference);
    return 0;
  }
  Value out = Value::table();
  out["from"] = opened.weights;
  out["to"] = to;
  out["parameters"] = report.parameters;
  out["verified_rows"] = report.verified_rows;
  out["largest_difference"] = report.largest_difference;
  if (merge) out["merge"] = merge->to_value();
  fmt::print("{}\n", to_json(out));
  return 0;
}

}  // namespace mortise::core
