// Growing files, and the small index that metrics count n-grams with.
#include "mortise/append_file.hpp"

#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/flat_index.hpp"

using namespace mortise;

namespace {}  // namespace

TEST_SUITE("sdk.append_file") {
  TEST_CASE("lines reach the file by flush, in bulk, and when the object goes") {
    const testing::TempDir folder;
    const std::string path = folder.path + "/log";
    {
      AppendFile file(path);
      file.append("a\n");
      CHECK(read_file(path).empty());
      file.flush();
      CHECK(read_file(path) == "a\n");
      file.append(std::string(70000, 'b') + "\n");
      CHECK(read_file(path).size() == 70003);
      file.append("c\n");
    }
    CHECK(read_file(path).ends_with("bb\nc\n"));
    AppendFile again(path);
    again.append("d\n");
    again.flush();
    CHECK(read_file(path).ends_with("c\nd\n"));
  }

  TEST_CASE("a file that cannot be opened is an Io error with its path") {
    CHECK_THROWS_WITH_AS(
        AppendFile("/nonexistent/log"), doctest::Contains("cannot open /nonexistent/log"), Error);
  }

  TEST_CASE("keep_lines drops what is refused and a torn last line") {
    const testing::TempDir folder;
    const std::string path = folder.path + "/log";
    write_file(path, "1\n2\n\n3\n4");
    keep_lines(path, [](std::string_view line) { return line != "2"; });
    CHECK(read_file(path) == "1\n\n3\n");
    CHECK_NOTHROW(keep_lines(folder.path + "/absent", [](std::string_view) { return true; }));
    CHECK_FALSE(std::filesystem::exists(folder.path + "/absent"));
  }
}

TEST_SUITE("sdk.flat_index") {
  TEST_CASE("keys are numbered in the order of first sight") {
    FlatIndex<std::string_view> words(3);
    CHECK(words.number("b") == 0);
    CHECK(words.number("") == 1);
    CHECK(words.number("b") == 0);
    CHECK(words.number("a") == 2);
    CHECK(words.size() == 3);
  }

  TEST_CASE("a full index of numbers that collide keeps them apart") {
    FlatIndex<uint64_t> index(1000);
    for (int round = 0; round < 2; ++round)
      for (uint64_t key = 0; key < 1000; ++key)
        REQUIRE(index.number(key << 40) == static_cast<int32_t>(key));
  }
}
