// Compares with what Python itself returned (tests/golden/metrics/pytext.json).
#include "mortise/pytext.hpp"

#include <set>

#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"

using namespace mortise;

namespace {

Value golden() {
  return parse_json(read_file(MORTISE_SOURCE_DIR "/tests/golden/metrics/pytext.json"));
}

std::string utf8(char32_t c) {
  std::string text;
  pytext::append_utf8(text, c);
  return text;
}

std::vector<std::string> strings(const Value& value) {
  std::vector<std::string> out;
  for (const Value& item : value.as_array()) out.push_back(item.as_string());
  return out;
}

std::vector<std::string> copies(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

std::set<int64_t> code_points(const Value& value) {
  std::set<int64_t> out;
  for (const Value& item : value.as_array()) out.insert(item.as_int());
  return out;
}

}  // namespace

TEST_SUITE("sdk.pytext") {
  TEST_CASE("difficult strings give what Python gives") {
    const Value file = golden();
    REQUIRE(file.at("cases").as_array().size() > 300);
    for (const Value& expected : file.at("cases").as_array()) {
      const std::string text = expected.at("text").as_string();
      CAPTURE(to_json(Value(text)));
      CHECK(copies(pytext::split(text)) == strings(expected.at("split")));
      CHECK(copies(pytext::splitlines(text)) == strings(expected.at("splitlines")));
      CHECK(pytext::lower(text) == expected.at("lower").as_string());
      CHECK(pytext::strip(text) == expected.at("strip").as_string());
      CHECK(pytext::rstrip(text) == expected.at("rstrip").as_string());
    }
  }

  TEST_CASE("white space and line breaks are Python's sets, over all of Unicode") {
    const Value file = golden();
    std::set<int64_t> spaces, breaks;
    for (char32_t c = 0; c < 0x110000; ++c) {
      if (c >= 0xD800 && c < 0xE000) continue;
      if (pytext::is_space(c)) spaces.insert(c);
      if (pytext::splitlines("a" + utf8(c) + "a").size() == 2) breaks.insert(c);
    }
    CHECK(spaces == code_points(file.at("code_points_isspace")));
    CHECK(breaks == code_points(file.at("code_points_splitlines")));
  }

  TEST_CASE("invalid bytes are told, passed through and repaired as errors=\"replace\" does") {
    CHECK(pytext::is_valid_utf8("a\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd"));
    for (const char* bad :
         {"\xff", "\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "a\xe4\xb8"})
      CHECK_FALSE(pytext::is_valid_utf8(bad));
    CHECK(pytext::repair_utf8("a\xe4\xb8z\xff\xc0\xaf") ==
          "a\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // Python:
                                                                  // 'a\ufffdz\ufffd\ufffd\ufffd'
    CHECK(pytext::split("\xff \xe4\xb8").size() == 2);
    CHECK(pytext::length("\xff\xe4\xb8\xad") == 2);
  }

  TEST_CASE("categories are Unicode's") {
    CHECK(pytext::category(U'A') == "Lu");
    CHECK(pytext::category(U'中') == "Lo");
    CHECK(pytext::category(U'½') == "No");
    CHECK(pytext::category(U'“') == "Pi");
    CHECK(pytext::category(U'€') == "Sc");
    CHECK(pytext::category(0xE000) == "Co");
  }
}
