#include <doctest/doctest.h>

#include <mortise/metric.hpp>
#include <mortise/testing.hpp>

TEST_CASE("shared words count on both sides") {
  const auto metric = mortise::testing::make<mortise::Metric>("token_f1");
  const std::vector<std::string> references = {"the cat", "A B C D"};
  mortise::Sample sample;
  sample.prediction = "a b x";
  sample.references = references;
  CHECK(metric->sample(sample)[0] == doctest::Approx(2.0 * 2 / (3 + 4)));
}
