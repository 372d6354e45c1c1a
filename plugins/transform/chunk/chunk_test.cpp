#include "chunk.hpp"

#include <doctest/doctest.h>

#include "mortise/fixtures.hpp"
#include "mortise/pytext.hpp"

using namespace mortise;
using transform::chunk::Chunk;

namespace {

std::vector<Record> windows(std::string text, Chunk::Config config) {
  Record record;
  record.id = "r";
  record.fields["text"] = std::move(text);
  record.fields["other"] = 1;
  testing::MemorySink sink;
  Chunk(std::move(config)).apply(record, sink);
  return sink.kept;
}

std::string joined(const std::vector<Record>& records) {
  std::string out;
  for (const Record& record : records)
    out += (out.empty() ? "" : "|") + record.fields.at("text").as_string();
  return out;
}

}  // namespace

TEST_SUITE("transform.chunk") {
  TEST_CASE("windows of characters, with and without overlap") {
    CHECK(joined(windows("abcdefg", {.size = 3})) == "abc|def|g");
    CHECK(joined(windows("abcdefg", {.size = 3, .overlap = 1})) == "abc|cde|efg");
    CHECK(joined(windows("abcdefgh", {.size = 3, .overlap = 2})) == "abc|bcd|cde|def|efg|fgh");
    CHECK(joined(windows("abcdef", {.size = 5, .overlap = 4})) == "abcde|bcdef");
  }

  TEST_CASE("a text that fits passes unchanged, also an empty one") {
    CHECK(windows("abc", {.size = 3, .overlap = 1}).at(0).id == "r");
    CHECK(joined(windows("", {.size = 3})) == "");
    CHECK(windows(" \n", {.unit = "words", .size = 1}).size() == 1);
  }

  TEST_CASE("ids number the windows, other fields are copied") {
    const auto out = windows("abcdef", {.size = 4});
    CHECK(out.at(0).id == "r#0");
    CHECK(out.at(1).id == "r#1");
    CHECK(out.at(1).fields.at("other") == Value(1));
  }

  TEST_CASE("no code point is cut") {
    const std::string text =
        "\xE4\xB8\xAD\xE6\x96\x87\xF0\x9F\x98\x80"
        "e\xCC\x81\xC3\xA9";
    std::string all;
    for (const Record& record : windows(text, {.size = 2})) {
      CHECK(pytext::is_valid_utf8(record.fields.at("text").as_string()));
      all += record.fields.at("text").as_string();
    }
    CHECK(all == text);
  }

  TEST_CASE("windows of words keep the white space inside") {
    CHECK(joined(windows(" a  b\r\nc d\xE3\x80\x80"
                         "e ",
                         {.unit = "words", .size = 2})) == "a  b|c d|e");
    CHECK(joined(windows("a b c d e", {.unit = "words", .size = 3, .overlap = 1})) ==
          "a b c|c d e");
  }

  TEST_CASE("every unit is in some window, and no window is part of the one before") {
    for (int64_t length = 1; length < 30; ++length)
      for (int64_t size = 1; size < 12; ++size)
        for (int64_t overlap = 0; overlap < size; ++overlap) {
          std::string text;
          for (int64_t i = 0; i < length; ++i) text += static_cast<char>('!' + i);
          const auto out = windows(text, {.size = size, .overlap = overlap});
          int64_t covered = 0;
          for (const Record& record : out) {
            const std::string part = record.fields.at("text").as_string();
            const auto begin = static_cast<int64_t>(text.find(part));
            const auto end = begin + static_cast<int64_t>(part.size());
            REQUIRE(begin <= covered);
            REQUIRE(end > covered);
            covered = end;
          }
          REQUIRE(covered == length);
        }
  }

  TEST_CASE("an overlap as large as the window, or a missing field, is refused") {
    CHECK_THROWS_WITH_AS(Chunk({.size = 3, .overlap = 3}),
                         doctest::Contains("overlap must be smaller than size"),
                         Error);
    CHECK_THROWS_WITH_AS(windows("a", {.field = "body"}),
                         doctest::Contains("r: chunk: the field `body` is missing"),
                         DataError);
  }
}
