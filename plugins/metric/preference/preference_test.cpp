// Against scikit-learn's numbers (tests/golden/scores.py).
#include "preference.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/plugin.hpp"

using namespace mortise;  // NOLINT: a test file
using metric::preference::Preference;

namespace {

const Preference kMetric({});

Stats one(std::vector<double> scores, int64_t label = 0) {
  Sample sample;
  sample.scores = scores;
  sample.label = label;
  return kMetric.sample(sample);
}

}  // namespace

TEST_SUITE("metric.preference") {
  TEST_CASE("the scores are scikit-learn's") {
    const Value golden = parse_json(read_file(MORTISE_SOURCE_DIR "/tests/golden/scores.json"));
    const Value& entry = golden.at("preference");
    Stats sum(5, 0.0);
    for (const Value& pair : entry.at("pairs").as_array()) {
      const Stats stats = one({pair.as_array()[0].as_float(), pair.as_array()[1].as_float()});
      for (size_t j = 0; j < stats.size(); ++j) sum[j] += stats[j];
    }
    const std::vector<Score> scores = kMetric.compute(sum);
    REQUIRE(scores.size() == entry.at("expected").as_table().size());
    for (const Score& score : scores) {
      CAPTURE(score.name);
      CHECK(score.value ==
            doctest::Approx(entry.at("expected").at(score.name).as_float()).epsilon(1e-12));
    }
  }

  TEST_CASE(
      "equal scores are a miss, the label says which one is right, and huge margins are finite") {
    CHECK(one({1, 1})[0] == 0);
    CHECK(one({1, 2}, 1)[0] == 1);
    CHECK(one({-1000, 1000})[3] == doctest::Approx(2000));
    CHECK(one({1000, -1000})[3] == 0);
  }

  TEST_CASE("three scores are no pair, and nan is an error") {
    CHECK_THROWS_WITH_AS(
        one({1, 2, 3}), doctest::Contains("between two scores, got 3"), mortise::Error);
    CHECK_THROWS_WITH_AS(one({std::nan(""), 0}), doctest::Contains("is nan"), mortise::Error);
  }
}
