// SchemaInfo ↔ Value: the form in which schemas stand in descriptors and manifests.
#include "mortise/schema_info.hpp"

#include <algorithm>
#include <array>

#include "mortise/error.hpp"

namespace mortise {

namespace {

constexpr std::array<std::string_view, 9> kTypeNames = {
    "boolean", "integer", "float", "string", "array", "map", "table", "component", "any"};

FieldType type_from_name(const std::string& name) {
  const auto it = std::find(kTypeNames.begin(), kTypeNames.end(), name);
  if (it == kTypeNames.end())
    throw Error(Code::Plugin, fmt::format("a schema names the unknown type \"{}\"", name));
  return static_cast<FieldType>(it - kTypeNames.begin());
}

Value field_to_value(const FieldInfo& field);

Value fields_to_value(const std::vector<FieldInfo>& fields) {
  Value list = Value::array();
  for (const FieldInfo& field : fields) list.as_array().push_back(field_to_value(field));
  return list;
}

Value field_to_value(const FieldInfo& field) {
  Value out = Value::table();
  const auto text = [&](const char* key, const std::string& value) {
    if (!value.empty()) out[key] = value;
  };
  const auto flag = [&](const char* key, bool value) {
    if (value) out[key] = true;
  };
  text("name", field.name);
  out["type"] = field_type_name(field.type);
  text("doc", field.doc);
  text("unit", field.unit);
  text("since", field.since);
  text("renamed_from", field.renamed_from);
  text("interface", field.interface_id);
  if (!field.default_value.is_null()) out["default"] = field.default_value;
  flag("required", field.required);
  flag("optional", field.optional);
  flag("secret", field.secret);
  flag("names_score", field.names_score);
  if (field.min) out["min"] = *field.min;
  if (field.max) out["max"] = *field.max;
  flag("min_excluded", field.min_excluded);
  if (!field.choices.empty()) out["choices"] = field.choices;
  if (!field.element.empty()) out["element"] = field_to_value(field.element.front());
  if (field.type == FieldType::Table) out["fields"] = fields_to_value(field.nested);
  return out;
}

FieldInfo field_from_value(const Value& value);

std::vector<FieldInfo> fields_from_value(const Value* list) {
  std::vector<FieldInfo> fields;
  if (list != nullptr)
    for (const Value& item : list->as_array()) fields.push_back(field_from_value(item));
  return fields;
}

FieldInfo field_from_value(const Value& value) {
  FieldInfo field;
  field.name = value.get("name", "");
  field.type = type_from_name(value.get("type", "any"));
  field.doc = value.get("doc", "");
  field.unit = value.get("unit", "");
  field.since = value.get("since", "");
  field.renamed_from = value.get("renamed_from", "");
  field.interface_id = value.get("interface", "");
  if (const Value* v = value.find("default")) field.default_value = *v;
  field.required = value.get("required", false);
  field.optional = value.get("optional", false);
  field.secret = value.get("secret", false);
  field.names_score = value.get("names_score", false);
  if (const Value* v = value.find("min")) field.min = v->as_float();
  if (const Value* v = value.find("max")) field.max = v->as_float();
  field.min_excluded = value.get("min_excluded", false);
  if (const Value* v = value.find("choices")) field.choices = v->as_array();
  if (const Value* v = value.find("element")) field.element.push_back(field_from_value(*v));
  field.nested = fields_from_value(value.find("fields"));
  return field;
}

template <class Item, class Make>
Value list_to_value(const std::vector<Item>& items, Make make) {
  Value list = Value::array();
  for (const Item& item : items) list.as_array().push_back(make(item));
  return list;
}

Value capabilities_to_value(const std::vector<Capability>& items) {
  return list_to_value(items, [](const Capability& c) {
    return Value(Value::Table{{"name", c.name}, {"when", c.when}});
  });
}

std::vector<Capability> capabilities_from_value(const Value* list) {
  std::vector<Capability> items;
  if (list != nullptr)
    for (const Value& item : list->as_array())
      items.push_back({item.get("name", ""), item.get("when", "")});
  return items;
}

}  // namespace

std::string_view field_type_name(FieldType type) { return kTypeNames[static_cast<size_t>(type)]; }

const FieldInfo* SchemaInfo::find(std::string_view name) const {
  const auto it = std::find_if(
      fields.begin(), fields.end(), [&](const FieldInfo& f) { return f.name == name; });
  return it == fields.end() ? nullptr : &*it;
}

Value SchemaInfo::to_value() const {
  Value out = Value::table();
  out["fields"] = fields_to_value(fields);
  if (!rules.empty())
    out["rules"] = list_to_value(rules, [](const Rule& r) {
      return Value(Value::Table{{"expression", r.expression}, {"message", r.message}});
    });
  if (!provides.empty()) out["provides"] = capabilities_to_value(provides);
  if (!needs.empty()) out["needs"] = capabilities_to_value(needs);
  return out;
}

SchemaInfo SchemaInfo::from_value(const Value& value) {
  SchemaInfo info;
  info.fields = fields_from_value(value.find("fields"));
  if (const Value* rules = value.find("rules"))
    for (const Value& item : rules->as_array())
      info.rules.push_back({item.get("expression", ""), item.get("message", "")});
  info.provides = capabilities_from_value(value.find("provides"));
  info.needs = capabilities_from_value(value.find("needs"));
  return info;
}

}  // namespace mortise
