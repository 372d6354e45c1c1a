#include "map_labels.hpp"

#include <doctest/doctest.h>

using namespace mortise;  // NOLINT: a test file
using transform::map_labels::MapLabels;

namespace {

struct Sink final : RecordSink {
  std::vector<Record> kept;
  std::vector<std::string> dropped;

  void keep(Record record) override { kept.push_back(std::move(record)); }

  void drop(const Record&, std::string_view reason) override { dropped.emplace_back(reason); }
};

Sink apply(MapLabels::Config config, Value value) {
  Record record;
  record.id = "r:2";
  if (!value.is_null()) record.fields["pos"] = std::move(value);
  Sink sink;
  MapLabels(std::move(config)).apply(std::move(record), sink);
  return sink;
}

const std::vector<std::string> kWords = {"noun", "verb", "3"};

}  // namespace

TEST_SUITE("transform.map_labels") {
  TEST_CASE("a word becomes its place in the list") {
    CHECK(apply({"pos", kWords, "error"}, "verb").kept.at(0).fields.at("label") == Value(1));
    CHECK(apply({"pos", kWords, "error"}, 3).kept.at(0).fields.at("label") == Value(2));
  }

  TEST_CASE("an unknown word stops with its record, or drops it") {
    CHECK_THROWS_WITH_AS(
        apply({"pos", kWords, "error"}, "nuon"),
        doctest::Contains("r:2: map_labels: `nuon` is not in labels; the nearest is `noun`"),
        DataError);
    CHECK_THROWS_WITH_AS(apply({"pos", kWords, "error"}, Value()),
                         doctest::Contains("the field `pos` is missing"),
                         DataError);
    CHECK(apply({"pos", kWords, "drop"}, "nuon").dropped.at(0) == "unknown_label");
  }

  TEST_CASE("a list with one word twice is refused") {
    CHECK_THROWS_WITH_AS(MapLabels({"pos", {"a", "b", "a"}, "error"}),
                         doctest::Contains("labels names `a` twice"),
                         Error);
  }
}
