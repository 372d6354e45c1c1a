// What named patterns leave for one another.
#include "mortise/patterns.hpp"

#include <algorithm>

#include <fmt/ranges.h>

#include "mortise/error.hpp"
#include "mortise/names.hpp"

namespace mortise {

void check_patterns(const std::string& table,
                    const std::vector<std::pair<std::string, std::string>>& patterns,
                    const std::vector<std::string>& names) {
  std::vector<std::string> left = names;
  for (const auto& [name, match] : patterns) {
    const auto is_meant = [&pattern = match](const std::string& parameter) {
      return matches(pattern, parameter);
    };
    const std::string what = fmt::format("{}.{}.match = \"{}\"", table, name, match);
    if (std::none_of(names.begin(), names.end(), is_meant))
      throw_no_match(what,
                     match,
                     names,
                     fmt::format("match whole paths (`*` stands for any characters), or take "
                                 "[{}.{}] out",
                                 table,
                                 name));
    if (std::erase_if(left, is_meant) > 0) continue;
    std::vector<std::string> takers;
    for (const auto& [earlier, pattern] : patterns) {
      if (earlier == name) break;
      if (std::any_of(names.begin(), names.end(), [&, &first = pattern](const std::string& n) {
            return is_meant(n) && matches(first, n);
          }))
        takers.push_back(fmt::format("[{}.{}] (match = \"{}\")", table, earlier, pattern));
    }
    throw Error(Code::Usage,
                fmt::format("nothing is left for {}: {} comes first by name and takes all that it "
                            "matches",
                            what,
                            fmt::join(takers, ", ")),
                fmt::format("rename [{0}.{1}] so that it comes first ([{0}.a_{1}]), or narrow the "
                            "earlier pattern",
                            table,
                            name));
  }
}

}  // namespace mortise
