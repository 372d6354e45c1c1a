// Closed forms: a model that gives every token the same probability has a perplexity known
// beforehand.
#include "perplexity.hpp"

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"

using namespace mortise;
using metric::perplexity::Perplexity;

namespace {

Stats stats_of(std::string_view text, double log_likelihood, int64_t num_tokens) {
  Sample sample;
  sample.text = text;
  sample.log_likelihood = log_likelihood;
  sample.num_tokens = num_tokens;
  return Perplexity().sample(sample);
}

}  // namespace

TEST_SUITE("metric.perplexity") {
  TEST_CASE("a model that gives every token 1/8 has perplexity 8") {
    const auto scores = Perplexity().compute(stats_of("ab c", 4 * std::log(1.0 / 8), 4));
    CHECK(scores[0].name == "perplexity");
    CHECK(scores[0].value == doctest::Approx(8).epsilon(1e-15));
    CHECK(scores[1].name == "bits_per_byte");
    CHECK(scores[1].value == doctest::Approx(3).epsilon(1e-15));   // 12 bits over 4 bytes
    CHECK(scores[2].value == doctest::Approx(64).epsilon(1e-15));  // 2 words: 6 bits each
    CHECK(scores[3].value == doctest::Approx(8).epsilon(1e-15));
    CHECK(scores[4].value == doctest::Approx(std::log(8.0)).epsilon(1e-15));
  }

  TEST_CASE("words are counted as Python's re.split does") {
    CHECK(stats_of("", -1, 1)[Perplexity::kWords] == 1);
    CHECK(stats_of("a b", -1, 1)[Perplexity::kWords] == 2);
    CHECK(stats_of(" a \n\xe3\x80\x80 b ", -1, 1)[Perplexity::kWords] == 4);  // '', 'a', 'b', ''
    CHECK(stats_of("\xe4\xb8\xad", -1, 1)[Perplexity::kBytes] == 3);
  }

  TEST_CASE("a corpus is weighted by tokens, not averaged over texts") {
    const Stats a = stats_of("x", -std::log(2.0), 1), b = stats_of("yyy", -3 * std::log(16.0), 3);
    Stats sum(Perplexity::kSize);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] = a[i] + b[i];
    CHECK(Perplexity().compute(sum)[0].value == doctest::Approx(std::exp2(13.0 / 4)));
  }

  TEST_CASE("values beyond a double are reported as the largest one and stay JSON") {
    for (const double likelihood : {-1e6, -std::numeric_limits<double>::infinity()}) {
      for (const Score& score : Perplexity().compute(stats_of("a b", likelihood, 2))) {
        CHECK(std::isfinite(score.value));
        CHECK_NOTHROW(to_json(Value(score.value)));
      }
      CHECK(Perplexity().compute(stats_of("a b", likelihood, 2))[0].value ==
            std::numeric_limits<double>::max());
    }
    CHECK(Perplexity().compute(stats_of("a b", -1e6, 2))[4].value == 5e5);
  }

  TEST_CASE("nan is an error, an empty corpus is zero, likelihoods are asked for") {
    CHECK_THROWS_WITH_AS(
        stats_of("a", std::nan(""), 1), doctest::Contains("output holds nan"), Error);
    for (const Score& score : Perplexity().compute(Stats(Perplexity::kSize, 0.0)))
      CHECK(score.value == 0.0);
    CHECK((Perplexity().needs() == Metric::Needs::Likelihood));
  }
}
