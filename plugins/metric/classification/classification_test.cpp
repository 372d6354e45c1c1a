// Against scikit-learn's numbers (tests/golden/scores.py).
#include "classification.hpp"

#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/plugin.hpp"

using namespace mortise;  // NOLINT: a test file
using metric::classification::Classification;

namespace {

const Classification kMetric({});

Stats one(std::vector<double> scores, int64_t label) {
  Sample sample;
  sample.scores = scores;
  sample.label = label;
  return kMetric.sample(sample);
}

double score(const Stats& sum, std::string_view name) {
  for (const Score& each : kMetric.compute(sum))
    if (each.name == name) return each.value;
  FAIL("no score " << name);
  return 0;
}

}  // namespace

TEST_SUITE("metric.classification") {
  TEST_CASE("the scores are scikit-learn's") {
    const Value golden = parse_json(read_file(MORTISE_SOURCE_DIR "/tests/golden/scores.json"));
    for (const auto& [name, entry] : golden.at("classification").as_table()) {
      CAPTURE(name);
      Stats sum;
      const auto& labels = entry.at("labels").as_array();
      const auto& rows = entry.at("scores").as_array();
      REQUIRE(labels.size() == rows.size());
      for (size_t i = 0; i < rows.size(); ++i) {
        std::vector<double> scores;
        for (const Value& value : rows[i].as_array()) scores.push_back(value.as_float());
        const Stats stats = one(scores, labels[i].as_int());
        sum.resize(stats.size());
        for (size_t j = 0; j < stats.size(); ++j) sum[j] += stats[j];
      }
      const auto& expected = entry.at("expected").as_table();
      REQUIRE(expected.size() == 4);
      for (const auto& [what, value] : expected) {
        CAPTURE(what);
        CHECK(score(sum, what) == doctest::Approx(value.as_float()).epsilon(1e-12));
      }
    }
  }

  TEST_CASE("always the commonest class is told beside, and of equal scores the first wins") {
    Stats sum = one({0, 0, 0}, 0);
    for (const Stats& more : {one({1, 1, 0}, 0), one({0, 2, 2}, 2)})
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
    CHECK(score(sum, "majority") == doctest::Approx(2.0 / 3));
    CHECK(score(sum, "accuracy") == doctest::Approx(2.0 / 3));
    CHECK(score(Stats(10, 0.0), "macro_f1") == 0);
  }

  TEST_CASE("a large score overflows nothing; nan and a label without a score are errors") {
    CHECK(one({1000, 0}, 1).back() == doctest::Approx(1000));
    CHECK_THROWS_WITH_AS(
        one({0, 1}, 2), doctest::Contains("the label 2, and there are 2 scores"), mortise::Error);
    CHECK_THROWS_WITH_AS(
        one({0, std::nan("")}, 0), doctest::Contains("a score is nan"), mortise::Error);
  }
}
