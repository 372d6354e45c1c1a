#include <doctest/doctest.h>
#include <mortise/metric.hpp>
#include <mortise/testing.hpp>

TEST_CASE("an equal text is a hit") {
  const auto metric = mortise::testing::make<mortise::Metric>("@NAME@");
  const std::vector<std::string> references = {"yes"};
  mortise::Sample sample;
  sample.prediction = "yes";
  sample.references = references;
  CHECK(metric->compute(metric->sample(sample))[0].value == 1.0);
}
