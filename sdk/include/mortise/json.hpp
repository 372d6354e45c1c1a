// JSON text ↔ Value (RFC 8259).  The parser behind it stays hidden in libmortise_sdk.
#pragma once

#include <string>
#include <string_view>

#include "mortise/api.hpp"
#include "mortise/value.hpp"

namespace mortise {

/// Parses one JSON document.  Integers beyond int64 become floats; duplicate keys and nesting
/// deeper than 200 are refused.  `name` names the text in errors ("config.json"). Throws: DataError
/// with line and column.   Thread: [any-thread].
MORTISE_API Value parse_json(std::string_view text, std::string_view name = "JSON");

/// Writes a value as JSON.  indent < 0: one line.  Floats are written shortest-round-trip; NaN and
/// infinity are refused. Throws: Error on a non-finite float or invalid UTF-8.   Thread:
/// [any-thread].
MORTISE_API std::string to_json(const Value& value, int indent = -1);

}  // namespace mortise
