// Made from tables.cpp and the manifests, so that it cannot grow stale.  Required parameters
// without default get a value that their type and range allow; everything optional stands as a
// comment.
#include "core/recipe/starter.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "mortise/error.hpp"

#include "core/recipe/tables.hpp"
#include "toml_print.hpp"

namespace mortise::core {

namespace {

constexpr int kMaxNesting = 6;  // of required components inside components

class Starter {
 public:
  Starter(std::string_view task, const Catalog& catalog) : task_(task), catalog_(catalog) {}

  std::string write() {
    out_ = fmt::format(
        "# A starter recipe for task \"{}\".  Lines behind `# ` show defaults; take the `# ` away "
        "to change one.\n",
        task_);
    line(fmt::format("recipe = {{ schema = 1, task = \"{}\", name = \"my-run\" }}", task_), "");
    if (task_ == "pipeline") return pipeline();
    for (const std::string& section : section_order()) {
      for (const CoreTable& table : core_tables())
        if (table.path == section && wanted(section)) core_table(table);
      for (const Slot& one : slots())
        if (one.path.substr(0, one.path.find('.')) == section) slot(one);
    }
    return std::move(out_);
  }

 private:
  bool wanted(const std::string& section) const {
    if (section == "recipe" || section == "sweep" || section == "gate") return false;
    return task_ == "train" || section == "run" || section == "log" || section == "plugins";
  }

  std::string pipeline() {
    out_ +=
        "\n# Stages run in the order of the text; each is a task with its own tables over what "
        "stands outside.\n"
        "[stage.check]\ntask = \"evaluate\"\n";
    const auto metrics = catalog_.components("metric");
    if (metrics.empty())
      throw PluginError("no plugin provides a metric",
                        "install one, or name its folder with --plugin-path");
    out_ += fmt::format("[stage.check.eval.score]\ntype = \"{}\"\ndata = \"predictions.jsonl\"\n",
                        metrics.front()->name);
    for (const FieldInfo& info : metrics.front()->schema().fields)
      parameter(info, "stage.check.eval.score", 0, /*inline_only=*/true);
    out_ += "# gate.\"score.NAME\" = { min = 0.5 }   # exit code 4 when it is missed\n";
    return std::move(out_);
  }

  void line(const std::string& text, const std::string& remark) {
    out_ += remark.empty() ? text + "\n" : fmt::format("{:<38} # {}\n", text, remark);
  }

  void core_table(const CoreTable& table) {
    out_ += fmt::format("\n[{}]  # {}\n", table.path, table.doc);
    for (const FieldInfo& info : table.fields) {
      if (table.path == "run" && info.name == "steps" && task_ == "train")
        line("steps = 100", info.doc);
      else if (table.path == "model" && info.name == "width")
        line("width = 64", info.doc);
      else if (!info.interface_id.empty() &&
               catalog_
                   .providers(kind_of(info.interface_id),
                              info.default_value.is_string() ? info.default_value.as_string() : "")
                   .empty())
        named(info);
      else
        parameter(info, table.path, 0, /*inline_only=*/true);
    }
  }

  // A string that names a component, whose default is not installed.
  void named(const FieldInfo& info) {
    const auto entries = catalog_.components(kind_of(info.interface_id));
    line(entries.empty() ? fmt::format("# {} = …", info.name)
                         : fmt::format("{} = \"{}\"", info.name, entries.front()->name),
         info.doc);
  }

  void slot(const Slot& slot) {
    const bool needed = std::find(slot.required_for.begin(), slot.required_for.end(), task_) !=
                        slot.required_for.end();
    if (!needed && task_ != "train") return;
    const auto entries = catalog_.components(kind_of(slot.interface_id));
    const std::string path =
        slot.path.ends_with(".*") ? slot.path.substr(0, slot.path.size() - 1) + "main" : slot.path;
    if (entries.empty()) {
      if (needed)
        throw PluginError(fmt::format("task \"{}\" needs [{}], and no plugin provides a {}",
                                      task_,
                                      path,
                                      kind_of(slot.interface_id)),
                          "install one, or name its folder with --plugin-path");
      return;
    }
    std::string names;
    for (const ComponentEntry* entry : entries) names += (names.empty() ? "" : ", ") + entry->name;
    if (!needed) {
      out_ += fmt::format("\n# [{}]  # {}\n", path, slot.doc);
      line(fmt::format("# type = \"{}\"", entries.front()->name), "one of: " + names);
      return;
    }
    out_ += fmt::format("\n[{}]  # {}\n", path, slot.doc);
    line(fmt::format("type = \"{}\"", entries.front()->name), "one of: " + names);
    for (const FieldInfo& key : slot.keys) parameter(key, path, 0, /*inline_only=*/true);
    component(*entries.front(), path, 0);
  }

  // Plain parameters first: TOML puts what follows a [header] into that table.
  void component(const ComponentEntry& entry, const std::string& path, int nesting) {
    for (const FieldInfo& info : entry.schema().fields)
      if (!opens_table(info)) parameter(info, path, nesting, false);
    for (const FieldInfo& info : entry.schema().fields)
      if (opens_table(info)) parameter(info, path, nesting, false);
  }

  static bool opens_table(const FieldInfo& info) {
    return info.type == FieldType::Component && info.required;
  }

  void parameter(const FieldInfo& info, const std::string& path, int nesting, bool inline_only) {
    if (opens_table(info) && !inline_only) {
      const auto entries = catalog_.components(kind_of(info.interface_id));
      if (entries.empty() || nesting > kMaxNesting)
        throw PluginError(
            fmt::format(
                "[{}] needs a {}, and no plugin provides one", path, kind_of(info.interface_id)),
            "install one, or name its folder with --plugin-path");
      out_ += fmt::format("\n[{}.{}]  # {}\n", path, info.name, info.doc);
      line(fmt::format("type = \"{}\"", entries.front()->name), "");
      component(*entries.front(), path + "." + info.name, nesting + 1);
      return;
    }
    std::string remark = info.doc;
    if (!info.choices.empty()) {
      remark += ": ";
      for (const Value& choice : info.choices)
        remark += (remark.ends_with(": ") ? "" : " | ") + toml_inline(choice);
    }
    if (!info.unit.empty()) remark += fmt::format(" [{}]", info.unit);
    if (info.required)
      line(fmt::format("{} = {}", info.name, toml_inline(some_value(info))), remark);
    else if (info.default_value.is_null())
      line(fmt::format("# {} = …", info.name), remark);
    else
      line(fmt::format("# {} = {}", info.name, toml_inline(info.default_value)), remark);
  }

  static Value some_value(const FieldInfo& info) {
    if (!info.choices.empty()) return info.choices.front();
    switch (info.type) {
      case FieldType::Bool:
        return false;
      case FieldType::Int: {
        const double low = info.min.value_or(0) + (info.min_excluded ? 1 : 0);
        return static_cast<int64_t>(std::clamp(4.0, low, std::max(low, info.max.value_or(4.0))));
      }
      case FieldType::Float:
        return info.min_excluded ? (info.max ? (*info.min + *info.max) / 2 : *info.min + 1)
                                 : info.min.value_or(0);
      case FieldType::String:
      case FieldType::Any:
        return "fill-in";
      case FieldType::Array:
        return Value::array();
      default:
        break;
    }
    Value out = Value::table();
    for (const FieldInfo& inner : info.nested)
      if (inner.required) out[inner.name] = some_value(inner);
    return out;
  }

  std::string task_;
  const Catalog& catalog_;
  std::string out_;
};

}  // namespace

std::string starter_recipe(std::string_view task, const Catalog& catalog) {
  if (task != "train" && task != "evaluate" && task != "pipeline")
    throw Error(Code::Usage,
                fmt::format("there is no task \"{}\"", task),
                "mortise init train, mortise init evaluate or mortise init pipeline");
  return Starter(task, catalog).write();
}

}  // namespace mortise::core
