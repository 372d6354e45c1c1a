#include "mortise/value.hpp"

#include <doctest/doctest.h>

#include "mortise/error.hpp"

using mortise::Value;

TEST_SUITE("sdk.value") {
  TEST_CASE("an integer reads as a float, and a whole float as an integer") {
    CHECK(Value(3).as_float() == 3.0);
    CHECK(Value(1e4).as_int() == 10000);
    CHECK_THROWS_WITH_AS(Value(1.5).as_int(), "expected integer, got float", mortise::Error);
  }

  TEST_CASE("a table keeps the order of insertion and compares without it") {
    Value a, b;
    a["x"] = 1;
    a["y"] = "z";
    b["y"] = "z";
    b["x"] = 1;
    CHECK(a.as_table().front().first == "x");
    CHECK(a == b);
    CHECK(a.erase("x"));
    CHECK_FALSE(a == b);
  }

  TEST_CASE("a missing key is named") {
    CHECK_THROWS_WITH_AS(Value::table().at("lr"), "missing key `lr`", mortise::Error);
  }
}
