#include "exact_dedup.hpp"

#include <doctest/doctest.h>

#include "mortise/fixtures.hpp"

using namespace mortise;
using transform::exact_dedup::ExactDedup;

namespace {

Record record_of(const char* id, Value text, const char* other = "") {
  Record record;
  record.id = id;
  record.fields["text"] = std::move(text);
  record.fields["other"] = other;
  return record;
}

}  // namespace

TEST_SUITE("transform.exact_dedup") {
  TEST_CASE("the first of equal records stays, the others are duplicates") {
    ExactDedup dedup({});
    CHECK(dedup.traits().global);
    CHECK_FALSE(dedup.traits().per_row);
    testing::MemorySink sink;
    dedup.apply(record_of("1", "\xE4\xB8\xAD\xE6\x96\x87"), sink);
    dedup.apply(record_of("2", "b"), sink);
    dedup.apply(record_of("3", "\xE4\xB8\xAD\xE6\x96\x87"), sink);
    dedup.apply(record_of("4", "B "), sink);
    REQUIRE(sink.kept.size() == 3);
    CHECK(sink.kept[0].id == "1");
    CHECK(sink.kept[2].id == "4");
    CHECK(sink.dropped == std::vector<std::string>{"duplicate"});
  }

  TEST_CASE("normalised texts ignore case and white space; what is kept is unchanged") {
    ExactDedup dedup({.normalise = true});
    testing::MemorySink sink;
    dedup.apply(record_of("1", " \xC3\x89t\xC3\xA9  OK\n"), sink);
    dedup.apply(record_of("2", "\xC3\xA9t\xC3\xA9\xE3\x80\x80ok"), sink);
    CHECK(sink.dropped.size() == 1);
    CHECK(sink.kept[0].fields.at("text") == Value(" \xC3\x89t\xC3\xA9  OK\n"));
  }

  TEST_CASE("several fields are compared one by one, of any kind") {
    ExactDedup dedup({.fields = {"text", "other"}});
    testing::MemorySink sink;
    dedup.apply(record_of("1", "ab", "c"), sink);
    dedup.apply(record_of("2", "a", "bc"), sink);
    dedup.apply(record_of("3", "ab", "c"), sink);
    dedup.apply(record_of("4", Value::Array{1, 2}, "c"), sink);
    dedup.apply(record_of("5", Value::Array{1, 2}, "c"), sink);
    CHECK(sink.kept.size() == 3);
    CHECK(sink.dropped.size() == 2);
  }

  TEST_CASE("a loaded state remembers what the saved one saw") {
    ExactDedup first({});
    testing::MemorySink sink;
    for (const char* text : {"a", "b", "c"}) first.apply(record_of("x", text), sink);
    testing::MemoryState state;
    first.state(state);
    state.rewind();
    ExactDedup second({});
    second.state(state);
    for (const char* text : {"c", "d", "a"}) second.apply(record_of("y", text), sink);
    CHECK(sink.kept.size() == 4);
    CHECK(sink.dropped.size() == 2);
    state.replace("seen", "12");
    CHECK_THROWS_WITH_AS(second.state(state), doctest::Contains("cut short"), DataError);
    state.replace("seen", std::string(32, 'z'));
    CHECK_THROWS_WITH_AS(second.state(state), doctest::Contains("damaged"), DataError);
  }

  TEST_CASE("a missing field names the record") {
    ExactDedup dedup({.fields = {"body"}});
    testing::MemorySink sink;
    CHECK_THROWS_WITH_AS(dedup.apply(record_of("r:9", "a"), sink),
                         doctest::Contains("r:9: exact_dedup: the field `body` is missing"),
                         DataError);
  }
}
