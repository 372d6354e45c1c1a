// Names that people write: patterns on parameter paths, and "did you mean".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/api.hpp"

namespace mortise {

/// Says whether `name` matches a pattern in which `*` stands for any run of characters.   Thread:
/// [any-thread], as all here.
MORTISE_API bool matches(std::string_view pattern, std::string_view name);

/// Edits (insert, delete, replace, swap of neighbours) that turn one word into the other.
MORTISE_API int64_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word`, when it is near enough to be meant; empty otherwise.
MORTISE_API std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace mortise
