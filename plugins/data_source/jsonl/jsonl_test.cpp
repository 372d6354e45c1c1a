#include "jsonl.hpp"

#include <doctest/doctest.h>
#include <zlib.h>
#include <zstd.h>

#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"

using namespace mortise;
using data_source::jsonl::Jsonl;

namespace {

Jsonl source(Value path,
             const char* utf8 = "strict",
             const char* bad_rows = "strict",
             DataSourceArgs args = {}) {
  Jsonl::Config config;
  config.path = std::move(path);
  config.utf8 = utf8;
  config.bad_rows = bad_rows;
  return {config, args};
}

// All rows as "id=text".
std::vector<std::string> rows(DataSource& reader) {
  std::vector<std::string> out;
  for (Record record; reader.next(record);)
    out.push_back(record.id + "=" + record.fields.get("text", "-"));
  return out;
}

std::string gzip(const std::string& text) {
  std::string out(compressBound(text.size()) + 64, '\0');
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

void refuse(Jsonl reader, const char* part) {
  CHECK_THROWS_WITH_AS(rows(reader), doctest::Contains(part), DataError);
}

std::string numbered(int from, int to) {
  std::string out;
  for (int i = from; i < to; ++i) out += fmt::format("{{\"text\": \"row {}\"}}\n", i);
  return out;
}

using Rows = std::vector<std::string>;

}  // namespace

TEST_SUITE("data_source.jsonl") {
  TEST_CASE("byte order mark, CRLF, blank lines, Chinese, emoji and a last line without an end") {
    const testing::TempDir folder;
    auto reader = source(folder.put(
        "a.jsonl",
        "\xEF\xBB\xBF{\"text\":\"\xE4\xB8\xAD\xE6\x96\x87\"}\r\n\r\n  "
        "\n{\"text\":\"\xF0\x9F\x98\x80\\n\\u4e2d\\ud83d\\ude00\"}\r\n{\"text\":\"end\"}"));
    CHECK(rows(reader) == Rows{"a.jsonl:1=\xE4\xB8\xAD\xE6\x96\x87",
                               "a.jsonl:4=\xF0\x9F\x98\x80\n\xE4\xB8\xAD\xF0\x9F\x98\x80",
                               "a.jsonl:5=end"});
    CHECK(reader.report().records == 3);
    CHECK(reader.report().skipped == 0);
  }

  TEST_CASE("all kinds of values arrive unchanged") {
    const testing::TempDir folder;
    const std::string line =
        R"({"i":-3,"f":2.5,"e":1e2,"b":true,"n":null,"a":[1,"x",[]],"t":{"k":{}},"big":9223372036854775807,"over":9223372036854775808,"huge":123456789012345678901234567890})";
    auto reader = source(folder.put("a.jsonl", line));
    Record record;
    REQUIRE(reader.next(record));
    CHECK(record.fields == parse_json(line));
    CHECK(record.fields.at("huge").kind() == Value::Kind::Float);
    CHECK(record.fields.as_table().front().first == "i");
  }

  TEST_CASE("a line that is not JSON stops with file, line and column, or is skipped and counted") {
    const testing::TempDir folder;
    const std::string path = folder.put("a.jsonl",
                                        "{\"text\":\"a\"}\n{\"text\": "
                                        "oops}\n[1]\n{\"a\":1,\"a\":2}\n{\"text\":\"\\ud800\"}\n{"
                                        "\"text\":\"b\"} x\n{\"text\":\"c\"}\n");
    refuse(source(path), (path + ":2:10: invalid JSON").c_str());
    auto reader = source(path, "strict", "skip");
    CHECK(rows(reader) == Rows{"a.jsonl:1=a", "a.jsonl:7=c"});
    CHECK(reader.report().skipped == 5);
    refuse(source(folder.put("b.jsonl", "7\n")), "b.jsonl:1: expected an object, got integer");
    refuse(source(folder.put("c.jsonl", "\n{\"a\":1,\"a\":2}\n")),
           "c.jsonl:2: the key \"a\" stands twice");
    refuse(source(folder.put("d.jsonl", "{\"a\":" + std::string(300, '['))), "d.jsonl:1");
  }

  TEST_CASE("many keys are checked for repetition too") {
    const testing::TempDir folder;
    std::string line = "{";
    for (int i = 0; i < 100; ++i) line += fmt::format("\"k{}\":1,", i);
    refuse(source(folder.put("a.jsonl", line + "\"k50\":2}")), "the key \"k50\" stands twice");
    auto reader = source(folder.put("b.jsonl", line + "\"x\":2}"));
    CHECK(rows(reader).size() == 1);
  }

  TEST_CASE("a line that is not UTF-8 stops, is repaired or is skipped, and is counted") {
    const testing::TempDir folder;
    const std::string path = folder.put(
        "a.jsonl", "{\"text\":\"good\"}\n{\"text\":\"b\xFF\xE4\xB8\"}\n{\"text\":\"c\"}\n");
    refuse(source(path), ":2: not UTF-8: byte 11 of the line is 0xff");
    auto replaced = source(path, "replace");
    CHECK(rows(replaced) ==
          Rows{"a.jsonl:1=good", "a.jsonl:2=b\xEF\xBF\xBD\xEF\xBF\xBD", "a.jsonl:3=c"});
    CHECK(replaced.report().repaired == 1);
    auto skipped = source(path, "skip");
    CHECK(rows(skipped) == Rows{"a.jsonl:1=good", "a.jsonl:3=c"});
    CHECK(skipped.report().skipped == 1);
    CHECK(skipped.report().repaired == 0);
    refuse(source(folder.put("b.jsonl", "{\"text\":\xFF\n"), "replace"), "b.jsonl:1:");
  }

  TEST_CASE("gzip and zstd are read, also in several parts") {
    const testing::TempDir folder;
    const std::string text = numbered(0, 3000);
    auto plain = source(folder.put("a.jsonl", text));
    auto zipped = source(folder.put("a.jsonl.gz", gzip(text)));
    auto squeezed = source(folder.put("a.jsonl.zst", zstd(text)));
    auto parts = source(folder.put("b.jsonl.gz", gzip(numbered(0, 7)) + gzip(numbered(7, 9))));
    auto frames = source(folder.put("b.jsonl.zst", zstd(numbered(0, 7)) + zstd(numbered(7, 9))));
    CHECK(rows(plain).size() == 3000);
    CHECK(rows(zipped).back() == "a.jsonl.gz:3000=row 2999");
    CHECK(rows(squeezed).back() == "a.jsonl.zst:3000=row 2999");
    CHECK(rows(parts).size() == 9);
    CHECK(rows(frames).size() == 9);
  }

  TEST_CASE("damaged compression is named") {
    const testing::TempDir folder;
    const std::string zipped = gzip(numbered(0, 500)), squeezed = zstd(numbered(0, 500));
    refuse(source(folder.put("a.jsonl.gz", zipped.substr(0, zipped.size() / 2))),
           "a.jsonl.gz: the gzip data are damaged or cut short");
    refuse(source(folder.put("b.jsonl.zst", squeezed.substr(0, squeezed.size() / 2))),
           "b.jsonl.zst: the zstd data are cut short");
    refuse(source(folder.put("c.jsonl.gz", numbered(0, 5))), "c.jsonl.gz is not gzip data");
    refuse(source(folder.put("d.jsonl.zst", numbered(0, 5))),
           "d.jsonl.zst: the zstd data are damaged");
  }

  TEST_CASE("a list and a folder are read in order, and ids stay unique") {
    const testing::TempDir folder;
    const std::string a = folder.put("b.jsonl", numbered(0, 1)),
                      b = folder.put("sub/b.jsonl", numbered(1, 2));
    folder.put("a.jsonl.gz", gzip(numbered(2, 3)));
    folder.put("notes.txt", "not data");
    auto tree = source(folder.path);
    CHECK(rows(tree) == Rows{"a.jsonl.gz:1=row 2", "b.jsonl:1=row 0", "sub/b.jsonl:1=row 1"});
    auto list = source(Value::Array{b, a});
    CHECK(rows(list) == Rows{b + ":1=row 1", a + ":1=row 0"});
  }

  TEST_CASE("missing, empty and blank inputs are one clear error") {
    const testing::TempDir folder;
    CHECK_THROWS_WITH_AS(source("/nowhere/a.jsonl"),
                         doctest::Contains("/nowhere/a.jsonl does not exist"),
                         DataError);
    CHECK_THROWS_WITH_AS(source(folder.path), doctest::Contains("holds no .jsonl"), DataError);
    CHECK_THROWS_WITH_AS(
        source(folder.put("a.jsonl", "")), doctest::Contains("a.jsonl is empty"), DataError);
    CHECK_THROWS_WITH_AS(source(Value::array()), doctest::Contains("empty array"), DataError);
    CHECK_THROWS_WITH_AS(
        source(3), doctest::Contains("path: expected a string or an array"), Error);
    refuse(source(folder.put("b.jsonl", "\n\r\n  \n")), "b.jsonl holds no rows");
  }

  TEST_CASE("shards share the rows without overlap, and skipping moves nothing") {
    const testing::TempDir folder;
    const std::string path = folder.put("a.jsonl", numbered(0, 4) + "bad\n" + numbered(5, 10));
    Rows all;
    int64_t skipped = 0;
    for (int64_t shard = 0; shard < 3; ++shard) {
      auto reader = source(path, "strict", "skip", {.shard = shard, .num_shards = 3});
      for (auto& row : rows(reader)) all.push_back(row);
      skipped += reader.report().skipped;
    }
    CHECK(all.size() == 9);
    CHECK(skipped == 1);
    CHECK(all[0] == "a.jsonl:1=row 0");
    CHECK(all[1] == "a.jsonl:4=row 3");
  }

  TEST_CASE("a reader goes on where a saved one stopped, at every row and in every format") {
    const testing::TempDir folder;
    const std::string text = "\xEF\xBB\xBF" + numbered(0, 6) + "bad\n" + numbered(6, 9);
    const Value paths[] = {
        folder.put("a.jsonl", text),
        folder.put("a.jsonl.gz", gzip(text)),
        folder.put("a.jsonl.zst", zstd(text)),
        Value::Array{folder.put("b.jsonl", numbered(0, 4)), folder.put("c.jsonl", numbered(4, 9))}};
    for (const Value& path : paths) {
      auto whole = source(path, "strict", "skip");
      const Rows expected = rows(whole);
      for (size_t stop = 0; stop <= expected.size(); ++stop) {
        auto first = source(path, "strict", "skip");
        Record record;
        for (size_t i = 0; i < stop; ++i) REQUIRE(first.next(record));
        testing::MemoryState state;
        first.state(state);
        state.rewind();
        auto second = source(path, "strict", "skip");
        second.state(state);
        CHECK(rows(second) ==
              Rows(expected.begin() + static_cast<std::ptrdiff_t>(stop), expected.end()));
        CHECK(second.report().records == static_cast<int64_t>(expected.size()));
        CHECK(second.report().skipped == whole.report().skipped);
      }
    }
  }

  TEST_CASE("a state that does not fit the files is refused") {
    const testing::TempDir folder;
    auto reader = source(folder.put("a.jsonl", numbered(0, 9)));
    Record record;
    for (int i = 0; i < 5; ++i) reader.next(record);
    testing::MemoryState state;
    reader.state(state);
    state.rewind();
    auto shorter = source(folder.put("a.jsonl", numbered(0, 2)));
    CHECK_THROWS_WITH_AS(
        shorter.state(state), doctest::Contains("the saved position is"), DataError);
  }

  TEST_CASE("rewinding begins again") {
    const testing::TempDir folder;
    auto reader = source(folder.put("a.jsonl", numbered(0, 5)));
    const Rows first = rows(reader);
    reader.rewind();
    CHECK(rows(reader) == first);
    CHECK(reader.report().records == 5);
  }

  TEST_CASE("the fingerprint follows the content, not the name") {
    const testing::TempDir folder;
    const auto a = source(folder.put("a.jsonl", numbered(0, 5))),
               b = source(folder.put("b.jsonl", numbered(0, 5)));
    const auto c = source(folder.put("c.jsonl", numbered(0, 6)));
    CHECK(a.fingerprint() == b.fingerprint());
    CHECK(a.fingerprint() != c.fingerprint());
    CHECK(a.fingerprint().size() == 37);
  }

  TEST_CASE("a line longer than the buffer is read, one beyond the limit is refused") {
    const testing::TempDir folder;
    const std::string path = folder.put(
        "a.jsonl", "{\"text\":\"" + std::string(3'000'000, 'x') + "\"}\n" + numbered(1, 2));
    auto reader = source(path);
    CHECK(rows(reader).size() == 2);
    Jsonl::Config config;
    config.path = path;
    config.max_line_bytes = 2'000'000;
    Jsonl limited(config, {});
    CHECK_THROWS_WITH_AS(rows(limited),
                         doctest::Contains("a.jsonl:1: the line is longer than 2000000 bytes"),
                         DataError);
  }
}
