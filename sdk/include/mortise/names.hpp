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

/// The pattern that may have been meant by one that matches none of `names`: words that stand in no
/// name become the nearest ones that do, or the pattern becomes a part ("*q_proj*"); empty: no
/// idea.
MORTISE_API std::string nearest_pattern(const std::string& pattern,
                                        const std::vector<std::string>& names);

/// The one error of a pattern that means nothing in a model, which would otherwise change nothing
/// and say nothing.  `what` is how the user wrote it ("the target \"q_prj\""), `names` what there
/// is (numbers are shown as `*`, and each name once), `fix` stands where no name is near.
/// Throws: Error{Usage}, always.
[[noreturn]] MORTISE_API void throw_no_match(std::string_view what,
                                             const std::string& pattern,
                                             const std::vector<std::string>& names,
                                             const std::string& fix);

}  // namespace mortise
