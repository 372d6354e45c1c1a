// Fields → JSON Schema.  Numbers and flags may also be a reference (${…}) or a text with a unit,
// because that is what the recipe language accepts.
#include "parameter_schema.hpp"

#include <fmt/format.h>

#include "mortise/units.hpp"

namespace mortise {

namespace {

std::string kind_in(const std::string& interface_id) {
  return interface_id.substr(0, interface_id.find('/'));
}

Value or_text(const char* type, const FieldInfo& info) {
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

Value text_shape(const FieldInfo& info) {
  Value out = Value::table();
  if (info.choices.empty()) {
    out["type"] = "string";
    return out;
  }
  Value choice = Value::table();
  choice["enum"] = Value(info.choices);
  Value reference = Value::table();
  reference["type"] = "string";
  reference["pattern"] = "\\$\\{";
  out["anyOf"] = Value::Array{std::move(choice), std::move(reference)};
  return out;
}

}  // namespace

Value ParameterSchemas::object(Value properties) {
  Value out = Value::table();
  out["type"] = "object";
  out["properties"] = std::move(properties);
  out["additionalProperties"] = false;
  return out;
}

Value ParameterSchemas::named_objects(Value entry) {
  Value out = Value::table();
  out["type"] = "object";
  out["additionalProperties"] = std::move(entry);
  return out;
}

Value ParameterSchemas::shape(const FieldInfo& info) {
  Value out = Value::table();
  switch (info.type) {
    case FieldType::Bool:
      return or_text("boolean", info);
    case FieldType::Int:
      return or_text("integer", info);
    case FieldType::Float:
      return or_text("number", info);
    case FieldType::String:
      return text_shape(info);
    case FieldType::Array:
      out["type"] = "array";
      out["items"] = shape(info.element.front());
      return out;
    case FieldType::Map:
      return named_objects(shape(info.element.front()));
    case FieldType::Table:
      return object(properties(info.nested));
    case FieldType::Component: {
      const std::string kind = kind_in(info.interface_id);
      if (seen_.insert(kind).second) wanted_.push_back(kind);
      out["$ref"] = "#/$defs/" + kind;
      return out;
    }
    case FieldType::Any:
      return out;
  }
  return out;
}

Value ParameterSchemas::field(const FieldInfo& info) {
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

Value ParameterSchemas::properties(const std::vector<FieldInfo>& fields) {
  Value out = Value::table();
  for (const FieldInfo& info : fields) out[info.name] = field(info);
  return out;
}

Value ParameterSchemas::table(const std::vector<FieldInfo>& fields, const std::string& doc) {
  Value out = object(properties(fields));
  out["description"] = doc;
  return out;
}

Value ParameterSchemas::component(const std::string& kind, const std::vector<FieldInfo>& keys) {
  Value any = Value::array();
  for (const SchemaChoice& choice : choices_(kind)) {
    Value all = Value::table();
    all["type"] = Value::Table{{"const", choice.name}};
    for (const FieldInfo& info : keys) all[info.name] = field(info);
    for (const FieldInfo& info : choice.fields) all[info.name] = field(info);
    Value one = object(std::move(all));
    one["description"] = choice.doc;
    one["required"] = Value::Array{"type"};
    any.as_array().push_back(std::move(one));
  }
  Value out = Value::table();
  if (any.as_array().empty())
    out["type"] = "object";
  else
    out["anyOf"] = std::move(any);
  return out;
}

Value ParameterSchemas::finish(Value root) {
  root["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  Value defs = Value::table();
  for (size_t done = 0; done < wanted_.size(); ++done)  // a kind may ask for further kinds
    defs[wanted_[done]] = component(std::string(wanted_[done]), {});
  if (!wanted_.empty()) root["$defs"] = std::move(defs);
  return root;
}

}  // namespace mortise
