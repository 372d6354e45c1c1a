// Renders the recipe tables of components.
#include "core/cli/component_text.hpp"

#include <fmt/format.h>

#include "core/recipe/tables.hpp"

namespace mortise::core {

std::string example_path(std::string_view kind, std::string_view name) {
  for (const Slot& slot : slots()) {
    if (kind_of(slot.interface_id) != kind) continue;
    std::string path = slot.path;
    const size_t star = path.find('*');
    if (star != std::string::npos) path.replace(star, 1, name);
    return path;
  }
  return std::string(kind);
}

std::string example_table(const ComponentEntry& entry) {
  std::string out = fmt::format(
      "[{}]\ntype = \"{}\"\n", example_path(kind_of(entry.interface_id), entry.name), entry.name);
  std::vector<std::string> paths;
  const auto rows = flatten(entry.schema().fields, paths);
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string value = default_text(*rows[i]);
    if (value == "required")
      out += fmt::format("{} = …    # required: {}\n", paths[i], rows[i]->doc);
    else if (value != "none")
      out += fmt::format("{} = {}\n", paths[i], value);
  }
  return out;
}

}  // namespace mortise::core
