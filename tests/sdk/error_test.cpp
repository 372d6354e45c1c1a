// Checks: the messages hold the texts and the values of what was compared, whatever is in them.
#include "mortise/error.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace mortise;

TEST_SUITE("sdk.error") {
  TEST_CASE("a comparison shows the texts and the values of both sides") {
    const int rows = 3;
    CHECK_THROWS_WITH_AS(MORTISE_CHECK_EQ(rows, 4, "table {}", "t"),
                         "table t: expected rows == 4, got 3 and 4",
                         Error);
    CHECK_NOTHROW(MORTISE_CHECK_LE(rows, 3, "never"));
    CHECK_THROWS_WITH_AS(
        MORTISE_CHECK_LT(rows, 3, "few"), "few: expected rows < 3, got 3 and 3", Error);
  }

  TEST_CASE("braces in an argument, or in its value, are text") {
    const std::string braces = "{}";
    CHECK_THROWS_WITH_AS(MORTISE_CHECK_EQ((std::vector<int>{1, 2}.size()), size_t{3}, "{}", braces),
                         "{}: expected (std::vector<int>{1, 2}.size()) == size_t{3}, got 2 and 3",
                         Error);
    CHECK_THROWS_WITH_AS(MORTISE_CHECK_EQ(std::string{"{:d}"}, braces, "names"),
                         "names: expected std::string{\"{:d}\"} == braces, got {:d} and {}",
                         Error);
  }
}
