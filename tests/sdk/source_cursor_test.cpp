// Places, shares, states and UTF-8 policies of data sources.
#include "mortise/source_cursor.hpp"

#include <doctest/doctest.h>

#include "mortise/fixtures.hpp"

using namespace mortise;

namespace {

std::vector<std::string> names(const std::vector<SourceFile>& files) {
  std::vector<std::string> out;
  for (const SourceFile& file : files) out.push_back(file.name);
  return out;
}

}  // namespace

TEST_SUITE("sdk.source_cursor") {
  TEST_CASE("files and folders are listed in order, with names that are unique") {
    const testing::TempDir dir;
    const std::string one = dir.put("b.txt", "b"), two = dir.put("sub/b.txt", "c");
    dir.put("sub/a.txt", "a");
    dir.put("x.md", "no");
    using Names = std::vector<std::string>;
    CHECK(names(list_source_files({dir.path}, {".txt"}, "")) ==
          Names{"b.txt", "sub/a.txt", "sub/b.txt"});
    CHECK(names(list_source_files({two, one}, {".txt"}, "")) == Names{two, one});
    CHECK_THROWS_WITH_AS(list_source_files({dir.path}, {".csv", ".tsv"}, ""),
                         doctest::Contains("holds no .csv or .tsv file"),
                         DataError);
  }

  TEST_CASE("every shard counts all records and takes its share") {
    std::vector<int> taken(7);
    for (int64_t shard = 0; shard < 3; ++shard) {
      SourceCursor cursor({.shard = shard, .num_shards = 3});
      for (int& record : taken) record += cursor.take() ? 1 : 0;
      CHECK(cursor.seen == 7);
    }
    CHECK(taken == std::vector<int>(7, 1));
    CHECK_THROWS_WITH_AS(SourceCursor({.shard = 3, .num_shards = 3}), "shard 3 of 3", Error);
  }

  TEST_CASE("a place is restored, and refused where the files have changed") {
    const testing::TempDir dir;
    const auto files = list_source_files({dir.put("a.txt", "one\r\ntwo\n")}, {}, "");
    SourceCursor cursor({});
    std::string_view line;
    REQUIRE(cursor.next_line("one\r\ntwo\n", line));
    CHECK(line == "one");
    CHECK(cursor.take());
    cursor.count(line.size());
    testing::MemoryState state;
    cursor.state(state, files);
    state.rewind();
    SourceCursor other({});
    other.state(state, files);
    CHECK(other.offset == 5);
    CHECK(other.line == 1);
    CHECK(other.report.bytes == 3);
    REQUIRE(other.next_line("one\r\ntwo\n", line));
    CHECK(line == "two");
    CHECK_FALSE(other.next_line("one\r\ntwo\n", line));
    dir.put("a.txt", "o");
    CHECK_THROWS_WITH_AS(other.state(state, files),
                         doctest::Contains("byte 5 of file 1 of 1, is not there"),
                         DataError);
    CHECK_THROWS_AS(SourceCursor({}).state(state, {}), DataError);
  }

  TEST_CASE("bad bytes stop, are repaired or are left out") {
    DataReport report;
    CHECK(repair_or_skip("replace", "a\xFF", "f:1", "line", report) == "a\xEF\xBF\xBD");
    CHECK(repair_or_skip("skip", "a\xFF", "f:1", "line", report) == std::nullopt);
    CHECK(report.skipped == 1);
    CHECK_THROWS_WITH_AS(repair_or_skip("strict", "a\xFF", "f:1", "line", report),
                         doctest::Contains("f:1: not UTF-8: byte 2 of the line is 0xff"),
                         DataError);
  }
}
