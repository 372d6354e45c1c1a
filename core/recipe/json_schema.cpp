// The tables and slots of a recipe as one JSON Schema; what stands in them is written by
// ParameterSchemas.
#include "core/recipe/json_schema.hpp"

#include <fmt/format.h>

#include "mortise/error.hpp"

#include "core/recipe/suggest.hpp"
#include "core/recipe/tables.hpp"
#include "parameter_schema.hpp"

namespace mortise::core {

namespace {

ParameterSchemas schemas_of(const Catalog& catalog) {
  return ParameterSchemas([&catalog](std::string_view kind) {
    std::vector<SchemaChoice> choices;
    for (const ComponentEntry* entry : catalog.components(kind))
      choices.push_back({entry->name, entry->doc, entry->schema().fields});
    return choices;
  });
}

Value slot_entry(ParameterSchemas& schemas, const Slot& slot) {
  Value out = schemas.component(std::string(kind_of(slot.interface_id)), slot.keys);
  out["description"] = slot.doc;
  return out;
}

// Puts `schema` at a dotted path; "*" stands for additionalProperties.
void put(Value& root, std::string_view path, Value schema) {
  const size_t dot = path.find('.');
  const std::string head(path.substr(0, dot));
  if (root.is_null()) root = ParameterSchemas::object(Value::table());
  if (head == "*") {
    root["additionalProperties"] = std::move(schema);
    return;
  }
  Value& child = root["properties"][head];
  if (dot != std::string_view::npos)
    put(child, path.substr(dot + 1), std::move(schema));
  else if (child.is_null())
    child = std::move(schema);
  else
    for (auto& [key, item] : schema["properties"].as_table())
      child["properties"][key] = std::move(item);
}

}  // namespace

Value recipe_schema(const Catalog& catalog) {
  ParameterSchemas schemas = schemas_of(catalog);
  Value root;
  put(root, "extends", Value::Table{{"description", "recipes to begin with, left to right"}});
  put(root, "vars", Value::Table{{"type", "object"}});
  for (const CoreTable& table : core_tables())
    put(root, table.path, schemas.table(table.fields, table.doc));
  for (const Slot& slot : slots()) put(root, slot.path, slot_entry(schemas, slot));
  put(root, "stage", ParameterSchemas::named_objects(Value::Table{{"type", "object"}}));
  return schemas.finish(std::move(root));
}

Value slot_schema(const Catalog& catalog, std::string_view path) {
  ParameterSchemas schemas = schemas_of(catalog);
  std::vector<std::string> known;
  for (const CoreTable& table : core_tables()) {
    if (table.path == path) return schemas.finish(schemas.table(table.fields, table.doc));
    known.push_back(table.path);
  }
  for (const Slot& slot : slots()) {
    const std::string bare =
        slot.path.ends_with(".*") ? slot.path.substr(0, slot.path.size() - 2) : slot.path;
    if (bare == path || slot.path == path) return schemas.finish(slot_entry(schemas, slot));
    known.push_back(bare);
  }
  const std::string near = nearest(path, known);
  throw Error(Code::Usage,
              fmt::format("a recipe has no [{}]{}",
                          path,
                          near.empty() ? "" : fmt::format("   did you mean `{}`?", near)),
              fmt::format("one of: {}", fmt::join(known, " ")));
}

}  // namespace mortise::core
