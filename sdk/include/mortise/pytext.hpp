// Text rules of Python's str, because reference metrics are written in it: split, strip, lower,
// splitlines.
//
// White space is Python's set of 29 code points (U+0009–000D, 001C–001F, 0020, 0085, 00A0, 1680,
// 2000–200A, 2028, 2029, 202F, 205F, 3000); lengths are code points.  Input is UTF-8; invalid bytes
// are passed through unchanged.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/api.hpp"

namespace mortise::pytext {

/// Decodes one code point at `at` and moves it on; an invalid byte gives U+FFFD and moves one byte.
/// Requires: at < text.size().
MORTISE_API char32_t next_code_point(std::string_view text, size_t& at);
MORTISE_API void append_utf8(std::string& text, char32_t code_point);
/// Whether the text is valid UTF-8 (no surrogates, no overlong forms, ≤ U+10FFFF).
MORTISE_API bool is_valid_utf8(std::string_view text);
/// Replaces each maximal invalid part by U+FFFD, as Python's errors="replace" does.
MORTISE_API std::string repair_utf8(std::string_view text);
MORTISE_API int64_t length(std::string_view text);

MORTISE_API bool is_space(char32_t code_point);
/// str.split(): maximal runs without white space.  Lifetime: views into `text`.
MORTISE_API std::vector<std::string_view> split(std::string_view text);
MORTISE_API std::vector<std::string_view> splitlines(std::string_view text);
MORTISE_API std::string_view strip(std::string_view text);
MORTISE_API std::string_view rstrip(std::string_view text);
/// str.lower(): full Unicode lower-casing, root locale.
MORTISE_API std::string lower(std::string_view text);
/// unicodedata.category(): "Lu", "Nd", "Po", ….
MORTISE_API std::string_view category(char32_t code_point);

}  // namespace mortise::pytext
