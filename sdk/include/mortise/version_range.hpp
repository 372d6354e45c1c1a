// plugins.require: "^1.2" (same major, at least 1.2), "~1.2" (same minor), ">=1.0 <2", "=1.2.3",
// "*".
#pragma once

#include <string_view>

#include "mortise/api.hpp"

namespace mortise {

/// Says whether the text is a range at all.   Thread: [any-thread].
MORTISE_API bool is_version_range(std::string_view range);
/// Says whether a version such as "1.2.3" lies in a range.  Pre-release tails ("-rc1") are not
/// ranked.   Thread: [any-thread].
MORTISE_API bool in_version_range(std::string_view version, std::string_view range);

}  // namespace mortise
