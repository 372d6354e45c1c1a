// Renders the fields of a schema.
#include "parameter_text.hpp"

#include <fmt/format.h>

#include "mortise/json.hpp"

#include "toml_print.hpp"

namespace mortise {

namespace {

std::string joined(const std::vector<std::string>& items, std::string_view separator) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : std::string(separator)) + item;
  return out;
}

}  // namespace

std::string toml_text(const Value& value) {
  if (value.is_table()) {
    std::vector<std::string> items;
    for (const auto& [key, item] : value.as_table())
      if (!item.is_null()) items.push_back(toml_key(key) + " = " + toml_text(item));
    return items.empty() ? "{}" : "{ " + joined(items, ", ") + " }";
  }
  if (value.is_array()) {
    std::vector<std::string> items;
    for (const Value& item : value.as_array()) items.push_back(toml_text(item));
    return "[" + joined(items, ", ") + "]";
  }
  return to_json(value);  // strings, numbers and booleans are written alike in both
}

std::string type_text(const FieldInfo& field) {
  std::string text(field_type_name(field.type));
  if (field.type == FieldType::Component)
    text = "component " + field.interface_id.substr(0, field.interface_id.find('/'));
  if (field.type == FieldType::Map) text = "table of";
  if (!field.element.empty())
    text += (field.type == FieldType::Map ? " " : " of ") + type_text(field.element.front());
  return text;
}

std::string range_text(const FieldInfo& field) {
  std::vector<std::string> parts;
  const auto number = [](double v) { return fmt::format("{:g}", v); };
  if (field.min && field.max)
    parts.push_back(fmt::format(
        "{}{}, {}]", field.min_excluded ? "(" : "[", number(*field.min), number(*field.max)));
  else if (field.min)
    parts.push_back(fmt::format("{} {}", field.min_excluded ? ">" : "≥", number(*field.min)));
  else if (field.max)
    parts.push_back(fmt::format("≤ {}", number(*field.max)));
  if (!field.choices.empty()) {
    std::vector<std::string> choices;
    for (const Value& choice : field.choices)
      choices.push_back(choice.is_string() ? choice.as_string() : toml_text(choice));
    parts.push_back("one of " + joined(choices, ", "));
  }
  if (!field.unit.empty()) parts.push_back(field.unit);
  if (field.names_score) parts.push_back("EVAL.SCORE");
  if (!field.element.empty())
    if (const std::string inner = range_text(field.element.front()); !inner.empty())
      parts.push_back(inner);
  return joined(parts, "; ");
}

std::string default_text(const FieldInfo& field) {
  if (field.required) return "required";
  if (field.default_value.is_null() || field.secret) return "none";
  return toml_text(field.default_value);
}

std::vector<const FieldInfo*> flatten(const std::vector<FieldInfo>& fields,
                                      std::vector<std::string>& paths,
                                      const std::string& prefix) {
  std::vector<const FieldInfo*> rows;
  for (const FieldInfo& field : fields) {
    if (field.type == FieldType::Table) {
      for (const FieldInfo* inner : flatten(field.nested, paths, prefix + field.name + "."))
        rows.push_back(inner);
    } else {
      paths.push_back(prefix + field.name);
      rows.push_back(&field);
    }
  }
  return rows;
}

}  // namespace mortise
