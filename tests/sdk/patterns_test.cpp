#include "mortise/patterns.hpp"

#include <doctest/doctest.h>

#include "mortise/error.hpp"

using namespace mortise;

namespace {

const std::vector<std::string> kNames = {"a.norm.weight", "a.q.weight", "b.norm.weight"};

std::string message_of(const std::vector<std::pair<std::string, std::string>>& patterns) {
  try {
    check_patterns("groups", patterns, kNames);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

}  // namespace

TEST_SUITE("sdk.patterns") {
  TEST_CASE("patterns that share names are fine as long as each keeps one") {
    CHECK(message_of({}) == "");
    CHECK(message_of({{"a", "a.*"}, {"b", "*norm*"}}) == "");
  }

  TEST_CASE("one that matches nothing is an error, and one for which nothing is left") {
    CHECK(message_of({{"a", "*k*"}}).find("groups.a.match = \"*k*\"") == 0);
    CHECK(message_of({{"a", "a.norm.*"}, {"b", "b.*"}, {"c", "*norm*"}}) ==
          "nothing is left for groups.c.match = \"*norm*\": [groups.a] (match = \"a.norm.*\"), "
          "[groups.b] (match = \"b.*\") comes first by name and takes all that it matches");
  }
}
