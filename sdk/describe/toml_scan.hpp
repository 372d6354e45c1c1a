// What is checked of a TOML text before a parser sees it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mortise {

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

}  // namespace mortise
