// Sampling: order of the processors, borders, and the distribution itself.
#include "mortise/sampler.hpp"

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include <doctest/doctest.h>

#include "mortise/error.hpp"

using mortise::Philox;
using mortise::pick;
using mortise::Sampling;

namespace {

std::set<int32_t> reachable(const std::vector<float>& logits, const Sampling& sampling) {
  Philox random(1, 2);
  std::set<int32_t> seen;
  for (int i = 0; i < 4000; ++i) seen.insert(pick(logits, sampling, random));
  return seen;
}

}  // namespace

TEST_SUITE("generate.sampler") {
  TEST_CASE("temperature zero takes the first of the best") {
    Philox random(1, 1);
    const std::vector<float> logits = {0, 5, 2, 5};
    CHECK(pick(logits, {}, random) == 1);
  }

  TEST_CASE("draws follow the softmax at the temperature") {
    const std::vector<float> logits = {1.0f, 0.0f, -1.0f, 2.0f};
    const double temperature = 0.7;
    double sum = 0;
    std::vector<double> expected;
    for (const float logit : logits) sum += expected.emplace_back(std::exp(logit / temperature));
    std::vector<int> counts(4);
    Philox random(3, 4);
    constexpr int kDraws = 40000;
    for (int i = 0; i < kDraws; ++i)
      ++counts[static_cast<size_t>(
          pick(logits, {.temperature = temperature, .top_k = 0, .top_p = 1}, random))];
    double chi2 = 0;
    for (size_t i = 0; i < 4; ++i) {
      const double wanted = kDraws * expected[i] / sum;
      chi2 += (counts[i] - wanted) * (counts[i] - wanted) / wanted;
    }
    CHECK(chi2 < 16.3);  // 3 degrees of freedom, p = 0.001; the seed is fixed
  }

  TEST_CASE("top_k keeps the k best and their equals") {
    CHECK((reachable({1, 3, 2, 3, 0}, {.temperature = 2, .top_k = 1, .top_p = 1}) ==
           std::set<int32_t>{1, 3}));
    CHECK((reachable({1, 3, 2, 3, 0}, {.temperature = 2, .top_k = 3, .top_p = 1}) ==
           std::set<int32_t>{1, 2, 3}));
    CHECK(reachable({1, 3, 2, 3, 0}, {.temperature = 2, .top_k = 99, .top_p = 1}).size() == 5);
  }

  TEST_CASE("top_p keeps a token while the better ones stay below p, and always the best") {
    const std::vector<float> logits = {
        std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};
    CHECK(
        (reachable(logits, {.temperature = 1, .top_k = 0, .top_p = 0.4}) == std::set<int32_t>{0}));
    CHECK((reachable(logits, {.temperature = 1, .top_k = 0, .top_p = 0.6}) ==
           std::set<int32_t>{0, 1}));
    CHECK((reachable(logits, {.temperature = 1, .top_k = 0, .top_p = 0.9}) ==
           std::set<int32_t>{0, 1, 2}));
    CHECK(
        (reachable(logits, {.temperature = 1, .top_k = 0, .top_p = 1e-9}) == std::set<int32_t>{0}));
  }

  TEST_CASE("temperature comes before top_p, and top_k before it too") {
    const std::vector<float> logits = {
        std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};
    // at temperature 0.5 the best has 0.25 / 0.365 = 0.68: alone enough for 0.6
    CHECK((reachable(logits, {.temperature = 0.5, .top_k = 0, .top_p = 0.6}) ==
           std::set<int32_t>{0}));
    // among the best two it has 0.625: again alone enough
    CHECK(
        (reachable(logits, {.temperature = 1, .top_k = 2, .top_p = 0.6}) == std::set<int32_t>{0}));
  }

  TEST_CASE("forbidden tokens are never drawn and extreme scores stay finite") {
    constexpr float kInf = std::numeric_limits<float>::infinity();
    CHECK((reachable({-kInf, 1, -kInf, 1}, {.temperature = 1, .top_k = 0, .top_p = 1}) ==
           std::set<int32_t>{1, 3}));
    CHECK((reachable({1e30f, -1e30f}, {.temperature = 1e-3, .top_k = 0, .top_p = 1}) ==
           std::set<int32_t>{0}));
  }

  TEST_CASE("values out of range and scores that are no numbers are refused") {
    CHECK_THROWS_AS(mortise::check({.temperature = -1, .top_k = 0, .top_p = 1}), mortise::Error);
    CHECK_THROWS_AS(mortise::check({.temperature = 1, .top_k = -1, .top_p = 1}), mortise::Error);
    CHECK_THROWS_AS(mortise::check({.temperature = 1, .top_k = 0, .top_p = 0}), mortise::Error);
    CHECK_THROWS_AS(mortise::check({.temperature = 1, .top_k = 0, .top_p = 1.5}), mortise::Error);
    Philox random(1, 1);
    const std::vector<float> logits = {0, std::nanf("")};
    CHECK_THROWS_WITH_AS(
        pick(logits, {}, random), doctest::Contains("not a number, for token 1"), mortise::Error);
  }
}
