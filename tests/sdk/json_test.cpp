#include "mortise/json.hpp"

#include <doctest/doctest.h>

#include "mortise/error.hpp"

using mortise::parse_json;
using mortise::to_json;

TEST_SUITE("sdk.json") {
  TEST_CASE("a document survives a round trip") {
    const std::string text =
        R"({"a": [1, 2.5, -3.0, true, null], "b": {"中": "😀\n"}, "big": 9223372036854775807})";
    CHECK(to_json(parse_json(text)) == text);
  }

  TEST_CASE("floats stay floats and keep their bits") {
    CHECK(to_json(parse_json("[0.1, 1e300, 5.0]")) == "[0.1, 1e+300, 5.0]");
  }

  TEST_CASE("an error names line and column") {
    CHECK_THROWS_WITH_AS(parse_json("{\n  \"a\": }", "config.json"),
                         doctest::Contains("config.json:2:8: invalid JSON"),
                         mortise::DataError);
  }

  TEST_CASE("duplicate keys and deep nesting are refused") {
    CHECK_THROWS_WITH_AS(
        parse_json(R"({"a":1,"a":2})"), doctest::Contains("stands twice"), mortise::DataError);
    CHECK_THROWS_WITH_AS(parse_json(std::string(100000, '[')),
                         doctest::Contains("deeper than 200"),
                         mortise::DataError);
  }
}
