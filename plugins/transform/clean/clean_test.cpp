#include "clean.hpp"

#include <array>

#include <doctest/doctest.h>

#include "mortise/fixtures.hpp"
#include "mortise/pytext.hpp"
#include "mortise/random.hpp"

using namespace mortise;
using transform::clean::Clean;

namespace {

std::string clean(std::string_view text, Clean::Config config = {}) {
  return Clean(config).cleaned(text);
}

Record record_of(const char* text) {
  Record record;
  record.id = "r:1";
  record.fields["text"] = text;
  return record;
}

}  // namespace

TEST_SUITE("transform.clean") {
  TEST_CASE("white space collapses, line ends and one blank line stay") {
    CHECK(clean(" a \t b\r\n\r\n\r\nc\xE3\x80\x80"
                "d \n e\r\n") == "a b\n\nc d\ne");
    CHECK(clean(" a \n\n b ", {.whitespace = "collapse"}) == "a b");
    CHECK(clean(" a \n\n b ", {.whitespace = "keep"}) == "a \n\n b");
    CHECK(clean(" a ", {.whitespace = "keep", .strip = false}) == " a ");
    CHECK(clean("a\r\nb\rc\xE2\x80\xA9"
                "d") == "a\nb\nc\nd");
  }

  TEST_CASE("control and zero-width characters go, joiners of emoji stay") {
    CHECK(clean("\xEF\xBB\xBF"
                "a\x01\x7F"
                "b\xE2\x80\x8B"
                "c\xC2\xAD"
                "d") == "abcd");
    const std::string family =
        "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7";
    CHECK(clean(family) == family);
    CHECK(clean("a\x01"
                "b",
                {.control = false}) ==
          "a\x01"
          "b");
    CHECK(clean(std::string_view("a\0b", 3)) == "ab");
  }

  TEST_CASE("letters compose, also when a removed character stood between") {
    CHECK(clean("e\xCC\x81") == "\xC3\xA9");
    CHECK(clean("e\xE2\x80\x8B\xCC\x81") == "\xC3\xA9");
    CHECK(clean("e\xCC\x81", {.nfc = false}) == "e\xCC\x81");
    CHECK(clean("\xE2\x84\xAB") == "\xC3\x85");  // ångström sign
  }

  TEST_CASE("no character of a language is lost") {
    const std::string text =
        "\xE4\xB8\xAD\xE6\x96\x87\xEF\xBC\x8C\xE6\xB5\x8B\xE8\xAF\x95 "
        "\xD8\xB9\xD8\xB1\xD8\xA8\xD9\x8A \xE0\xA4\xB9\xE0\xA4\xBF \xF0\x9F\x98\x80!?#$%";
    CHECK(clean(text) == text);
  }

  TEST_CASE("cleaning twice equals cleaning once, for random texts and every choice of steps") {
    const char32_t letters[] = {'a',    'e',    ' ',    '\n',   '\r',   '\t',    0,      1,
                                0x1C,   0x85,   0xA0,   0xAD,   0x301,  0x323,   0x345,  0x1100,
                                0x1161, 0x11A8, 0x2000, 0x2028, 0x200B, 0x200D,  0x2126, 0x212B,
                                0x3000, 0x4E2D, 0xAC00, 0xFEFF, 0xFFFD, 0x1D15E, 0x1F600};
    Philox random(7, 0);
    for (int round = 0; round < 4000; ++round) {
      std::string text;
      for (uint64_t n = random.below(12); n > 0; --n)
        pytext::append_utf8(text, letters[random.below(std::size(letters))]);
      Clean::Config config;
      config.control = random.below(2) == 0;
      config.nfc = random.below(2) == 0;
      config.strip = random.below(2) == 0;
      config.whitespace = std::array{"keep", "lines", "collapse"}[random.below(3)];
      const std::string once = clean(text, config);
      REQUIRE(clean(once, config) == once);
      REQUIRE(pytext::is_valid_utf8(once));
    }
  }

  TEST_CASE("records are kept, or dropped with a reason") {
    Clean transform({.min_chars = 2, .max_chars = 3});
    CHECK(transform.traits().per_row);
    testing::MemorySink sink;
    for (const char* text : {" \n", "a", "\xE4\xB8\xAD\xE6\x96\x87", " abc ", "abcd"})
      transform.apply(record_of(text), sink);
    CHECK(sink.dropped == std::vector<std::string>{"empty", "too_short", "too_long"});
    REQUIRE(sink.kept.size() == 2);
    CHECK(sink.kept[1].fields.at("text") == Value("abc"));
  }

  TEST_CASE("a missing or non-text field names the record") {
    testing::MemorySink sink;
    CHECK_THROWS_WITH_AS(Clean({.fields = {"body"}}).apply(record_of("x"), sink),
                         doctest::Contains("r:1: clean: the field `body` is missing"),
                         DataError);
    Record record;
    record.fields["text"] = 3;
    CHECK_THROWS_WITH_AS(
        Clean({}).apply(record, sink), doctest::Contains("not a string but integer"), DataError);
  }
}
