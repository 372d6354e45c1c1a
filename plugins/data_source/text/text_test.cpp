#include "text.hpp"

#include <doctest/doctest.h>

#include "mortise/fixtures.hpp"

using namespace mortise;
using data_source::text::Text;

namespace {

using Rows = std::vector<std::string>;

Text source(const std::string& path,
            const char* unit,
            const char* utf8 = "strict",
            DataSourceArgs args = {}) {
  return {{.path = path, .unit = unit, .utf8 = utf8}, args};
}

Rows rows(Text&& reader) {
  Rows out;
  for (Record record; reader.next(record);)
    out.push_back(record.id + "=" + record.fields.get("text", "-"));
  return out;
}

// Byte order mark, CRLF, blank lines, Chinese, emoji, an ideographic space on a "blank" line, no
// end of the last line.
const char* const kMixed =
    "\xEF\xBB\xBFone\r\n\xE4\xB8\xAD\xE6\x96\x87\r\n\r\n\xE3\x80\x80\n\xF0\x9F\x98\x80 two\nlast";

}  // namespace

TEST_SUITE("data_source.text") {
  TEST_CASE("lines") {
    const testing::TempDir folder;
    CHECK(rows(source(folder.put("a.txt", kMixed), "line")) ==
          Rows{"a.txt:1=one",
               "a.txt:2=\xE4\xB8\xAD\xE6\x96\x87",
               "a.txt:5=\xF0\x9F\x98\x80 two",
               "a.txt:6=last"});
  }

  TEST_CASE("paragraphs") {
    const testing::TempDir folder;
    CHECK(rows(source(folder.put("a.txt", kMixed), "paragraph")) ==
          Rows{"a.txt:1=one\n\xE4\xB8\xAD\xE6\x96\x87", "a.txt:5=\xF0\x9F\x98\x80 two\nlast"});
  }

  TEST_CASE("documents of a folder, in order of names") {
    const testing::TempDir folder;
    folder.put("b.txt", "b\r\n\r\nb\n");
    folder.put("sub/a.txt", "a");
    folder.put("empty.txt", "");
    folder.put("x.md", "no");
    CHECK(rows(source(folder.path, "document")) == Rows{"b.txt=b\n\nb", "sub/a.txt=a"});
  }

  TEST_CASE("a unit that is not UTF-8 stops, is repaired or is skipped, and is counted") {
    const testing::TempDir folder;
    const std::string path = folder.put("a.txt", "good\nb\xFFyte\nend\n");
    CHECK_THROWS_WITH_AS(rows(source(path, "line")),
                         doctest::Contains("a.txt:2: not UTF-8: byte 2 of the line is 0xff"),
                         DataError);
    CHECK(rows(source(path, "line", "replace"))[1] == "a.txt:2=b\xEF\xBF\xBDyte");
    Text skipping = source(path, "line", "skip");
    Record record;
    while (skipping.next(record)) {
    }
    CHECK(skipping.report().skipped == 1);
    CHECK(skipping.report().records == 2);
  }

  TEST_CASE("missing, empty and blank inputs are one clear error") {
    const testing::TempDir folder;
    CHECK_THROWS_WITH_AS(source("/nowhere/a.txt", "line"),
                         doctest::Contains("/nowhere/a.txt does not exist"),
                         DataError);
    CHECK_THROWS_WITH_AS(
        source("", "line"), doctest::Contains("the empty path does not exist"), DataError);
    CHECK_THROWS_WITH_AS(
        source(folder.path, "line"), doctest::Contains("holds no .txt file"), DataError);
    CHECK_THROWS_WITH_AS(
        source(folder.put("a.txt", ""), "line"), doctest::Contains("a.txt is empty"), DataError);
    CHECK_THROWS_WITH_AS(rows(source(folder.put("b.txt", "\n \r\n"), "document")),
                         doctest::Contains("only blank lines"),
                         DataError);
  }

  TEST_CASE("a reader goes on where a saved one stopped, in every unit") {
    const testing::TempDir folder;
    folder.put("a.txt", kMixed);
    folder.put("b.txt", "x\n\ny\n");
    for (const char* unit : {"line", "paragraph", "document"}) {
      const Rows expected = rows(source(folder.path, unit));
      for (size_t stop = 0; stop <= expected.size(); ++stop) {
        Text first = source(folder.path, unit);
        Record record;
        for (size_t i = 0; i < stop; ++i) REQUIRE(first.next(record));
        testing::MemoryState state;
        first.state(state);
        state.rewind();
        Text second = source(folder.path, unit);
        second.state(state);
        for (size_t i = stop; i < expected.size(); ++i) {
          REQUIRE(second.next(record));
          CHECK(record.id + "=" + record.fields.get("text", "") == expected[i]);
        }
        CHECK_FALSE(second.next(record));
      }
    }
  }

  TEST_CASE("shards share the units, and the fingerprint follows the content") {
    const testing::TempDir folder;
    const std::string a = folder.put("a.txt", "1\n2\n3\n4\n5\n"),
                      b = folder.put("b.txt", "1\n2\n3\n4\n5\n");
    CHECK(rows(source(a, "line", "strict", {.shard = 1, .num_shards = 2})) ==
          Rows{"a.txt:2=2", "a.txt:4=4"});
    CHECK(source(a, "line").fingerprint() == source(b, "line").fingerprint());
    CHECK(source(a, "line").fingerprint() !=
          source(folder.put("c.txt", "1"), "line").fingerprint());
  }
}
