// Target patterns of adapters.
#include "mortise/torch/adapter.hpp"

#include <algorithm>

#include "mortise/error.hpp"
#include "mortise/names.hpp"

namespace mortise {

namespace {

std::string last_part(const std::string& path) { return path.substr(path.rfind('.') + 1); }

std::string shortened(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (text.size() > 200) return text + ", …";
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

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
    const std::string near = nearest(last_part(pattern), kinds);
    throw Error(Code::Usage,
                fmt::format("the target \"{}\" matches nothing in this model; it has: {}",
                            pattern,
                            shortened(kinds)),
                near.empty() ? "name a projection, or a pattern on whole paths such as "
                               "\"model.layers.*.q_proj\""
                             : fmt::format("did you mean \"{}\"?", near));
  }
}

}  // namespace mortise
