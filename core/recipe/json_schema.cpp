// Each kind becomes one entry of $defs: an anyOf over its components, told apart by the constant
// `type`.  Nested components refer to the entry of their kind, so that recursion costs nothing.
#include "core/recipe/json_schema.hpp"

#include <set>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/units.hpp"

#include "core/recipe/suggest.hpp"
#include "core/recipe/tables.hpp"

namespace mortise::core {

namespace {

Value object(Value properties) {
  Value out = Value::table();
  out["type"] = "object";
  out["properties"] = std::move(properties);
  out["additionalProperties"] = false;
  return out;
}

Value named_objects(Value entry) {
  Value out = Value::table();
  out["type"] = "object";
  out["additionalProperties"] = std::move(entry);
  return out;
}

class Schemas {
 public:
  explicit Schemas(const Catalog& catalog) : catalog_(catalog) {}

  Value field(const FieldInfo& info) {
    Value out = shape(info);
    if (!info.doc.empty())
      out["description"] =
          info.unit.empty()
              ? info.doc
              : fmt::format(
                    "{} ({}; {} reads too)", info.doc, info.unit, quantity_example(info.unit));
    if (!info.default_value.is_null()) out["default"] = info.default_value;
    return out;
  }

  Value properties(const std::vector<FieldInfo>& fields) {
    Value out = Value::table();
    for (const FieldInfo& info : fields) out[info.name] = field(info);
    return out;
  }

  Value slot(const Slot& slot) {
    Value any = Value::array();
    for (const ComponentEntry* entry : catalog_.components(kind_of(slot.interface_id)))
      any.as_array().push_back(component(*entry, slot.keys));
    Value out = Value::table();
    out["description"] = slot.doc;
    if (any.as_array().empty())
      out["type"] = "object";
    else
      out["anyOf"] = std::move(any);
    return out;
  }

  Value finish(Value root) {
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema";
    Value defs = Value::table();
    for (size_t done = 0; done < wanted_.size(); ++done) {  // a kind may ask for further kinds
      Value any = Value::array();
      for (const ComponentEntry* entry : catalog_.components(wanted_[done]))
        any.as_array().push_back(component(*entry, {}));
      Value entry = Value::table();
      if (any.as_array().empty())
        entry["type"] = "object";
      else
        entry["anyOf"] = std::move(any);
      defs[wanted_[done]] = std::move(entry);
    }
    if (!wanted_.empty()) root["$defs"] = std::move(defs);
    return root;
  }

 private:
  Value component(const ComponentEntry& entry, const std::vector<FieldInfo>& keys) {
    Value type = Value::table();
    type["const"] = entry.name;
    Value all = Value::table();
    all["type"] = std::move(type);
    for (const FieldInfo& info : keys) all[info.name] = field(info);
    for (const FieldInfo& info : entry.schema().fields) all[info.name] = field(info);
    Value out = object(std::move(all));
    out["description"] = entry.doc;
    out["required"] = Value::array();
    out["required"].as_array().push_back("type");
    return out;
  }

  // Numbers and flags may also be a reference or a text with a unit.
  static Value or_text(const char* type, const FieldInfo& info) {
    Value plain = Value::table();
    plain["type"] = type;
    if (info.min) plain[info.min_excluded ? "exclusiveMinimum" : "minimum"] = *info.min;
    if (info.max) plain["maximum"] = *info.max;
    Value text = Value::table();
    text["type"] = "string";
    text["pattern"] = info.unit.empty() ? "\\$\\{" : "\\$\\{|^[0-9.]+ *[A-Za-z%]*";
    Value out = Value::table();
    out["anyOf"] = Value::Array{std::move(plain), std::move(text)};
    return out;
  }

  Value shape(const FieldInfo& info) {
    Value out = Value::table();
    switch (info.type) {
      case FieldType::Bool:
        return or_text("boolean", info);
      case FieldType::Int:
        return or_text("integer", info);
      case FieldType::Float:
        return or_text("number", info);
      case FieldType::String:
        out["type"] = "string";
        break;
      case FieldType::Array:
        out["type"] = "array";
        out["items"] = shape(info.element.front());
        return out;
      case FieldType::Map:
        return named_objects(shape(info.element.front()));
      case FieldType::Table:
        return object(properties(info.nested));
      case FieldType::Component: {
        const std::string kind(kind_of(info.interface_id));
        if (seen_.insert(kind).second) wanted_.push_back(kind);
        out["$ref"] = "#/$defs/" + kind;
        return out;
      }
      case FieldType::Any:
        return out;
    }
    if (!info.choices.empty()) {
      Value choice = Value::table();
      choice["enum"] = Value(info.choices);
      Value reference = Value::table();
      reference["type"] = "string";
      reference["pattern"] = "\\$\\{";
      out = Value::table();
      out["anyOf"] = Value::Array{std::move(choice), std::move(reference)};
    }
    return out;
  }

  const Catalog& catalog_;
  std::set<std::string> seen_;
  std::vector<std::string> wanted_;
};

// Puts `schema` at a dotted path; "*" stands for additionalProperties.
void put(Value& root, std::string_view path, Value schema) {
  const size_t dot = path.find('.');
  const std::string head(path.substr(0, dot));
  if (root.is_null()) root = object(Value::table());
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

Value table_schema(Schemas& schemas, const CoreTable& table) {
  Value out = object(schemas.properties(table.fields));
  out["description"] = table.doc;
  return out;
}

}  // namespace

Value recipe_schema(const Catalog& catalog) {
  Schemas schemas(catalog);
  Value root;
  put(root, "extends", Value::Table{{"description", "recipes to begin with, left to right"}});
  put(root, "vars", Value::Table{{"type", "object"}});
  for (const CoreTable& table : core_tables()) put(root, table.path, table_schema(schemas, table));
  for (const Slot& slot : slots()) put(root, slot.path, schemas.slot(slot));
  put(root, "stage", named_objects(Value::Table{{"type", "object"}}));
  return schemas.finish(std::move(root));
}

Value slot_schema(const Catalog& catalog, std::string_view path) {
  Schemas schemas(catalog);
  std::vector<std::string> known;
  for (const CoreTable& table : core_tables()) {
    if (table.path == path) return schemas.finish(table_schema(schemas, table));
    known.push_back(table.path);
  }
  for (const Slot& slot : slots()) {
    const std::string bare =
        slot.path.ends_with(".*") ? slot.path.substr(0, slot.path.size() - 2) : slot.path;
    if (bare == path || slot.path == path) return schemas.finish(schemas.slot(slot));
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
