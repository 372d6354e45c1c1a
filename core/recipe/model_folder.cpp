// Every architecture plugin is asked; exactly one must recognise the folder.
#include "core/recipe/model_folder.hpp"

#include <vector>

#include <fmt/format.h>

#include "mortise/architecture.hpp"
#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"

namespace mortise::core {

ModelFolder read_model_folder(const std::string& folder, const Catalog& catalog, Host& host) {
  const std::string path = folder + "/config.json";
  constexpr int64_t kLimit = int64_t{16} << 20;
  const Value config = parse_json(read_file(path, kLimit), path);
  std::vector<std::string> known, hits;
  ModelFolder out;
  for (const ComponentEntry* entry : catalog.components("architecture")) {
    known.push_back(entry->name);
    Value table = Value::table();
    table["type"] = fmt::format("{}:{}", entry->plugin->id, entry->name);
    for (const FieldInfo& field : entry->schema().fields)
      if (!field.default_value.is_null()) table[field.name] = field.default_value;
    const auto architecture = make<Architecture>(host, table, NoArgs{});
    if (!architecture->recognises(config)) continue;
    hits.push_back(entry->name);
    out.architecture = entry->name;
    out.spec = architecture->to_spec(config);
  }
  if (hits.size() > 1)
    throw PluginError(
        fmt::format(
            "{} is recognised by {} architectures: {}", path, hits.size(), fmt::join(hits, ", ")),
        "remove one of these plugins from the search path");
  if (hits.empty()) {
    const std::string type = config.get("model_type", "(no model_type)");
    throw PluginError(
        fmt::format("no architecture knows {}: model_type \"{}\"; known: {}",
                    path,
                    type,
                    known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "))),
        "install a plugin that provides this architecture");
  }
  return out;
}

}  // namespace mortise::core
