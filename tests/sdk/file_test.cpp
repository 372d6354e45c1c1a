#include "mortise/file.hpp"

#include <filesystem>

#include <doctest/doctest.h>

#include "mortise/digest.hpp"
#include "mortise/error.hpp"
#include "mortise/fixtures.hpp"

using namespace mortise;
namespace fs = std::filesystem;

namespace {

struct Folder : testing::TempDir {
  int64_t count() const {
    return std::distance(fs::directory_iterator(path), fs::directory_iterator());
  }
};

}  // namespace

TEST_SUITE("sdk.file") {
  TEST_CASE("a committed file appears whole, and replaces the old one") {
    const Folder folder;
    write_file(folder.file("a"), "old");
    AtomicFile file(folder.file("a"));
    file.write("new ");
    CHECK(read_file(folder.file("a")) == "old");
    file.write("text");
    file.write_at(0, std::as_bytes(std::span("N", 1)));
    file.commit();
    CHECK(read_file(folder.file("a")) == "New text");
    CHECK(folder.count() == 1);
  }

  TEST_CASE("an abandoned file leaves the old one and no temporary") {
    const Folder folder;
    write_file(folder.file("a"), "old");
    {
      AtomicFile file(folder.file("a"));
      file.write("half");
    }
    CHECK(read_file(folder.file("a")) == "old");
    CHECK(folder.count() == 1);
  }

  TEST_CASE(
      "a full disk is an input/output error; the old file is intact and no temporary is left") {
    const Folder folder;
    write_file(folder.file("a"), "old");
    const testing::FullDisk full(4096);
    const std::string big(100'000, 'x');
    try {
      write_file(folder.file("a"), big);
      FAIL("the limit did not hold");
    } catch (const Error& error) {
      CHECK(error.code() == Code::Io);
      CHECK(error.message() == fmt::format("cannot write {}: File too large", folder.file("a")));
      CHECK(error.hint().find("free some space") == 0);
    }
    {
      AtomicFile file(folder.file("a"));
      CHECK_THROWS_AS(file.write_at(10'000, std::as_bytes(std::span("x", 1))), Error);
    }
    CHECK(read_file(folder.file("a")) == "old");
    CHECK(folder.count() == 1);
  }

  TEST_CASE("a folder that is not there, or a folder in place of a file, is named") {
    const Folder folder;
    CHECK_THROWS_WITH_AS(
        AtomicFile(folder.file("no/a")), doctest::Contains("No such file or directory"), Error);
    CHECK_THROWS_WITH_AS(MappedFile::open(folder.path), doctest::Contains("Is a directory"), Error);
    CHECK_THROWS_WITH_AS(
        MappedFile::open(folder.file("b")), doctest::Contains(folder.file("b").c_str()), Error);
  }

  TEST_CASE("an empty file maps to no bytes, and a large one is refused beyond the limit") {
    const Folder folder;
    write_file(folder.file("empty"), "");
    CHECK(MappedFile::open(folder.file("empty"))->bytes().empty());
    write_file(folder.file("ten"), "0123456789");
    CHECK_THROWS_WITH_AS(
        read_file(folder.file("ten"), 9), doctest::Contains("is 10 bytes; at most 9"), DataError);
  }

  TEST_CASE("the digest of a file is that of its bytes as one piece, whatever its size") {
    const testing::TempDir temp;
    for (const size_t size : {size_t{0}, size_t{5}, size_t{4} << 20, (size_t{9} << 20) + 17}) {
      CAPTURE(size);
      std::string text(size, 'x');
      for (size_t i = 0; i < size; i += 977) text[i] = static_cast<char>('a' + i % 23);
      const std::string path = temp.put("file", text);
      CHECK(file_digest(path) == Digest().add(text).text());
    }
  }
}
