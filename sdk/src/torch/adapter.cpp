// Target patterns of adapters.
#include "mortise/torch/adapter.hpp"

#include <algorithm>

#include "mortise/error.hpp"
#include "mortise/names.hpp"

namespace mortise {

namespace {

std::string last_part(const std::string& path) { return path.substr(path.rfind('.') + 1); }

}  // namespace

bool is_target(const std::string& pattern, const std::string& path) {
  return matches(pattern, path) || matches(pattern, last_part(path));
}

void check_targets(const std::vector<std::string>& patterns,
                   const std::vector<std::string>& paths) {
  std::vector<std::string> kinds;
  for (const std::string& path : paths)
    if (std::find(kinds.begin(), kinds.end(), last_part(path)) == kinds.end())
      kinds.push_back(last_part(path));
  for (const std::string& pattern : patterns) {
    const bool found = std::any_of(
        paths.begin(), paths.end(), [&](const auto& path) { return is_target(pattern, path); });
    if (found) continue;
    throw_no_match(fmt::format("the target \"{}\"", pattern),
                   pattern,
                   kinds,
                   "name a projection, or a pattern on whole paths such as "
                   "\"model.layers.*.q_proj\"");
  }
}

}  // namespace mortise
