// JSON Schema (draft 2020-12) of parameters and components, for editors: types, ranges, choices,
// units, documentation and defaults, from the schemas that components carry.
//
// Each kind becomes one entry of $defs: an anyOf over its components, told apart by the constant
// `type`.  Nested components refer to the entry of their kind, so that recursion costs nothing.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mortise/schema_info.hpp"

namespace mortise {

/// One component that may stand where its kind is wanted.
struct SchemaChoice {
  std::string name, doc;
  std::vector<FieldInfo> fields;
};

/// Collects the schemas of one document.   Thread: [main-thread].
class ParameterSchemas {
 public:
  /// `choices` lists the components of a kind ("attention").
  using Choices = std::function<std::vector<SchemaChoice>(std::string_view kind)>;

  explicit ParameterSchemas(Choices choices) : choices_(std::move(choices)) {}

  /// A closed table of these fields.
  Value table(const std::vector<FieldInfo>& fields, const std::string& doc);
  /// A table with `type`, any component of the kind; `keys` belong to the place where it stands.
  Value component(const std::string& kind, const std::vector<FieldInfo>& keys);
  /// Adds the dialect and the kinds that were referred to.
  Value finish(Value root);

  /// An object with these properties and no others.
  static Value object(Value properties);
  /// An object whose keys are free and whose values follow `entry`.
  static Value named_objects(Value entry);

 private:
  Value properties(const std::vector<FieldInfo>& fields);
  Value field(const FieldInfo& info);
  Value shape(const FieldInfo& info);

  Choices choices_;
  std::set<std::string> seen_;
  std::vector<std::string> wanted_;
};

}  // namespace mortise
