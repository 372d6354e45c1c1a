#include "exact_match.hpp"

#include <doctest/doctest.h>

using mortise::Sample;
using mortise::metric::exact_match::ExactMatch;

namespace {

double hit(const ExactMatch& metric,
           std::string_view prediction,
           std::vector<std::string> references) {
  Sample sample;
  sample.prediction = prediction;
  sample.references = references;
  return metric.sample(sample)[0];
}

}  // namespace

TEST_SUITE("metric.exact_match") {
  TEST_CASE("any reference counts") {
    const ExactMatch metric({});
    CHECK(hit(metric, "b", {"a", "b"}) == 1);
    CHECK(hit(metric, "c", {"a", "b"}) == 0);
  }

  TEST_CASE("case and surrounding space follow the parameters") {
    CHECK(hit(ExactMatch({.ignore_case = true, .strip = true}),
              "\xc3\x89t\xc3\xa9\xe3\x80\x80",
              {"\xc3\xa9t\xc3\xa9"}) == 1);
    CHECK(hit(ExactMatch({.ignore_case = false, .strip = false}), "a ", {"a"}) == 0);
  }

  TEST_CASE("sums of shards give the score of the whole") {
    const ExactMatch metric({});
    CHECK(metric.compute({3, 4})[0].value == 0.75);
    CHECK(metric.compute({0, 0})[0].value == 0);
  }
}
