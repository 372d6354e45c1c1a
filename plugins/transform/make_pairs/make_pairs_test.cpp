#include "make_pairs.hpp"

#include <algorithm>
#include <set>

#include <doctest/doctest.h>

using namespace mortise;  // NOLINT: a test file
using transform::make_pairs::MakePairs;

namespace {

struct Sink final : RecordSink {
  std::vector<Record> kept;
  std::vector<std::string> dropped;

  void keep(Record record) override { kept.push_back(std::move(record)); }

  void drop(const Record&, std::string_view reason) override { dropped.emplace_back(reason); }
};

Record row(int64_t number, const std::string& answer, const std::string& kind) {
  Record record;
  record.id = fmt::format("row:{}", number);
  record.fields["response"] = answer;
  record.fields["kind"] = kind;
  return record;
}

std::vector<Record> rows() {
  std::vector<Record> all;
  for (int64_t i = 0; i < 60; ++i)
    all.push_back(
        row(i, fmt::format("{} {}", i % 2 == 0 ? "noun" : "verb", i / 3), i % 2 == 0 ? "n" : "v"));
  return all;
}

Sink apply(MakePairs::Config config, std::vector<Record> all, bool backwards = false) {
  MakePairs pairs(std::move(config));
  if (backwards) std::reverse(all.begin(), all.end());
  for (const Record& record : all) pairs.fit(record);
  pairs.finish_fit();
  Sink sink;
  for (const Record& record : all) pairs.apply(record, sink);
  if (backwards) std::reverse(sink.kept.begin(), sink.kept.end());
  return sink;
}

}  // namespace

TEST_SUITE("transform.make_pairs") {
  TEST_CASE("the rejected answer is another record's, of the same group") {
    const Sink sink = apply({.by = {"kind"}}, rows());
    REQUIRE(sink.kept.size() == 60);
    std::set<std::string> rejected;
    for (const Record& record : sink.kept) {
      const std::string good = record.fields.at("chosen").as_string(),
                        bad = record.fields.at("rejected").as_string();
      CHECK(good == record.fields.at("response").as_string());
      CHECK(good != bad);
      CHECK(good.substr(0, 4) == bad.substr(0, 4));
      rejected.insert(bad);
    }
    CHECK(rejected.size() > 15);  // drawn from all, not always the neighbour
  }

  TEST_CASE("partners depend on seed and id, not on the order of the records") {
    const Sink one = apply({}, rows()), two = apply({}, rows(), true),
               other = apply({.seed = 2}, rows());
    int64_t changed = 0;
    for (size_t i = 0; i < one.kept.size(); ++i) {
      CHECK(one.kept[i].fields == two.kept[i].fields);
      changed += one.kept[i].fields == other.kept[i].fields ? 0 : 1;
    }
    CHECK(changed > 30);
  }

  TEST_CASE("a record without a different answer in its group is dropped") {
    const Sink sink =
        apply({.by = {"kind"}}, {row(0, "a", "n"), row(1, "a", "n"), row(2, "b", "v")});
    CHECK(sink.kept.empty());
    CHECK(sink.dropped == std::vector<std::string>(3, "no_other_answer"));
  }

  TEST_CASE("missing fields are named with the record") {
    MakePairs pairs({.answer = "gloss"});
    CHECK_THROWS_WITH_AS(pairs.fit(row(3, "a", "n")),
                         doctest::Contains("row:3: make_pairs: the field `gloss` is missing"),
                         DataError);
  }
}
