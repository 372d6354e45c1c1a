// TOML text → Node.  The only place of the recipe engine that sees toml++.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/recipe/diagnostics.hpp"
#include "core/recipe/node.hpp"

namespace mortise::core {

constexpr int64_t kMaxRecipeBytes = int64_t{8} << 20;
constexpr int32_t kMaxDepth = 64;  // of tables, arrays and dotted keys together

/// What a scan of the bytes finds before a parser sees them.
struct TextFault {
  std::string code, message;
  int32_t line = 1, column = 1;
};

/// Checks size, UTF-8, control characters and nesting.  Returns nothing when the text is safe to
/// parse.   Thread: [any-thread].
std::optional<TextFault> scan_toml(std::string_view text);

/// Parses one file.  After a fault: reports it and returns an empty table.   Thread: [any-thread].
Node parse_toml(const std::shared_ptr<const SourceFile>& file, Diagnostics& diagnostics);

/// Reads `text` as a TOML value; nothing when it is none.  All parts get the origin.
std::optional<Node> parse_toml_value(std::string_view text, const Origin& origin);

}  // namespace mortise::core
