// Parameters as text: for `inspect` on a terminal and for the Markdown reference.
#pragma once

#include <string>
#include <vector>

#include "mortise/schema_info.hpp"

namespace mortise {

/// "array of integer", "component position/1.0", "string".
std::string type_text(const FieldInfo& field);
/// "[0, 1]", "> 0", "one of a, b", "tokens"; several joined by ", "; empty when anything goes.
std::string range_text(const FieldInfo& field);
/// The default as TOML; "required" or "none" when there is none.
std::string default_text(const FieldInfo& field);
/// A value as TOML, in one line.
std::string toml_text(const Value& value);
/// One row a parameter, nested tables flattened as a.b.
std::vector<const FieldInfo*> flatten(const std::vector<FieldInfo>& fields,
                                      std::vector<std::string>& paths,
                                      const std::string& prefix = {});

}  // namespace mortise
