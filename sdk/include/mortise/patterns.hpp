// Named patterns over names, as in optimizer.groups: the first by name that matches decides.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mortise/api.hpp"

namespace mortise {

/// Checks that each pattern (name → match, in the order in which they are asked) means something.
/// `table` is where they stand: "optimizer.groups".  Throws: Error when one matches none of
/// `names`, or only such that earlier ones take.   Thread: [any-thread].
MORTISE_API void check_patterns(const std::string& table,
                                const std::vector<std::pair<std::string, std::string>>& patterns,
                                const std::vector<std::string>& names);

}  // namespace mortise
