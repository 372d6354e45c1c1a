// The parameter schema of a component as plain data: what plugin.toml carries and the host
// validates with.
//
// It is written by Schema<Config> in the plugin, travels as JSON, and is read back by the host,
// which checks every key, type, range, choice and rule of a recipe without opening the plugin.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mortise/api.hpp"
#include "mortise/value.hpp"

namespace mortise {

struct SchemaInfo;

/// The type of a parameter.  Persistent: the names of field_type_name() stand in manifests.
enum class FieldType {
  Bool,
  Int,
  Float,
  String,
  Array,      // of `element`
  Map,        // name → `element`
  Table,      // with `nested`
  Component,  // a Use<Interface>: a table with `type`, behind `interface_id`
  Any         // a free table or value, checked by the component
};

struct MORTISE_API FieldInfo {
  std::string name;
  std::string doc;
  FieldType type = FieldType::Any;
  std::string
      unit;  // "bytes", "seconds", "tokens", "steps", …; strings such as "4GiB" are read by it
  std::string since;         // version of the plugin that added it
  std::string renamed_from;  // the old key, still accepted with a warning
  std::string interface_id;  // of a Component
  Value default_value;       // null: none
  bool required = false;
  bool optional = false;     // std::optional: absent is a value of its own
  bool secret = false;       // never printed
  bool names_score = false;  // of a String: an evaluated score, "EVAL.SCORE", that must be taken
  std::optional<double> min, max;
  bool min_excluded = false;
  std::vector<Value> choices;
  std::vector<FieldInfo> element;  // of an Array or Map: exactly one
  std::vector<FieldInfo> nested;   // of a Table
};

/// A cross-field rule: an expression over parameters that must hold (grammar:
/// docs/explanation/recipe_language.md).
struct Rule {
  std::string expression;  // "k <= experts", "heads % kv_heads == 0", "a implies b"
  std::string message;     // what to tell when it does not hold
};

/// A capability, with an optional condition over the parameters.
struct Capability {
  std::string name;  // "varlen"
  std::string when;  // "kernel != 'eager'"; empty: always
};

struct MORTISE_API SchemaInfo {
  std::vector<FieldInfo> fields;
  std::vector<Rule> rules;
  std::vector<Capability> provides;
  std::vector<Capability> needs;

  const FieldInfo* find(std::string_view name) const;
  Value to_value() const;
  /// Throws: Error when the text of a manifest is not a schema.
  static SchemaInfo from_value(const Value& value);
};

/// "boolean", "integer", "float", "string", "array", "map", "table", "component", "any".
MORTISE_API std::string_view field_type_name(FieldType type);

}  // namespace mortise
