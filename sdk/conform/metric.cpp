// Contract of `metric`: statistics of one length that add up, pure functions, finite scores, a
// signature.
#include "mortise/metric.hpp"

#include <cmath>
#include <set>
#include <thread>

#include "suites.hpp"
#include "texts.hpp"

namespace mortise::conform {

namespace {

Stats stats_of(const Metric& metric,
               const std::string& prediction,
               const std::vector<std::string>& references) {
  Sample sample;
  const auto length = static_cast<double>(prediction.size());
  const double scores[] = {std::cos(length), std::sin(length)};
  if (metric.needs() == Metric::Needs::Scores) {
    sample.scores = scores;
    sample.label = static_cast<int64_t>(prediction.size() % 2);
  } else if (metric.needs() == Metric::Needs::Text) {
    sample.prediction = prediction;
    sample.references = references;
  } else {
    sample.text = prediction;
    sample.num_tokens = static_cast<int64_t>(prediction.size()) / 3 + 1;
    sample.log_likelihood = -1.5 * static_cast<double>(sample.num_tokens);
  }
  return metric.sample(sample);
}

std::vector<Stats> stats_of_all(const Metric& metric) {
  std::vector<Stats> all;
  const auto texts = valid_texts();
  for (size_t i = 0; i < texts.size(); ++i)
    all.push_back(stats_of(metric, texts[i], {texts[(i + 1) % texts.size()], texts[i]}));
  return all;
}

void add(Stats& sum, const Stats& more) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
}

void one_length(Factory& f) {
  const auto metric = make<Metric>(f);
  const size_t length = stats_of(*metric, "a", {"a"}).size();
  MORTISE_EXPECT(length > 0, "the statistics of a sample are empty");
  for (const Stats& stats : stats_of_all(*metric)) {
    MORTISE_EXPECT_EQ(stats.size(), length, "statistics differ in length");
    for (double value : stats) MORTISE_EXPECT(std::isfinite(value), "a statistic is {}", value);
  }
}

void empty_corpus(Factory& f) {
  const auto metric = make<Metric>(f);
  for (const Score& score : metric->compute(Stats(stats_of(*metric, "a", {"a"}).size(), 0.0)))
    MORTISE_EXPECT(!std::isnan(score.value), "{} of an empty corpus is NaN", score.name);
}

void shards_add_up(Factory& f) {
  const auto metric = make<Metric>(f);
  const auto all = stats_of_all(*metric);
  Stats whole(all[0].size(), 0.0), even = whole, odd = whole;
  for (size_t i = 0; i < all.size(); ++i) {
    add(whole, all[i]);
    add(i % 2 == 0 ? even : odd, all[i]);
  }
  add(even, odd);
  const auto one = metric->compute(whole), two = metric->compute(even);
  MORTISE_EXPECT_EQ(
      one.size(), two.size(), "the number of scores differs between one pass and two shards");
  for (size_t i = 0; i < one.size(); ++i)
    MORTISE_EXPECT(std::fabs(one[i].value - two[i].value) <= 1e-9 * (1 + std::fabs(one[i].value)),
                   "{} is {} in one pass and {} from two shards",
                   one[i].name,
                   one[i].value,
                   two[i].value);
}

void scores_are_named(Factory& f) {
  const auto metric = make<Metric>(f);
  std::set<std::string> names;
  const auto scores = metric->compute(stats_of(*metric, "a b c", {"a b d"}));
  MORTISE_EXPECT(!scores.empty(), "there is no score");
  for (const Score& score : scores) {
    MORTISE_EXPECT(!score.name.empty() && names.insert(score.name).second,
                   "the score name \"{}\" is empty or stands twice",
                   score.name);
    MORTISE_EXPECT(std::isfinite(score.value), "{} is {}", score.name, score.value);
  }
}

void is_pure(Factory& f) {
  const auto metric = make<Metric>(f), other = make<Metric>(f);
  const auto first = stats_of_all(*metric);
  MORTISE_EXPECT(first == stats_of_all(*metric),
                 "the same samples give other statistics the second time");
  MORTISE_EXPECT(first == stats_of_all(*other), "two instances give other statistics");
  std::vector<std::vector<Stats>> seen(4);
  {
    std::vector<std::jthread> threads;
    for (auto& slot : seen)
      threads.emplace_back([&slot, &metric] { slot = stats_of_all(*metric); });
  }
  for (const auto& slot : seen)
    MORTISE_EXPECT(slot == first,
                   "sample() gives other statistics when called from several threads");
}

void survives_broken_text(Factory& f) {
  const auto metric = make<Metric>(f);
  const size_t length = stats_of(*metric, "a", {"a"}).size();
  for (const std::string& text : broken_texts()) {
    MORTISE_EXPECT_EQ(stats_of(*metric, text, {"a"}).size(),
                      length,
                      "broken UTF-8 changes the length of the statistics");
    MORTISE_EXPECT_EQ(stats_of(*metric, "a", {text}).size(),
                      length,
                      "a broken reference changes the length of the statistics");
  }
}

void signature_is_stable(Factory& f) {
  const std::string one = make<Metric>(f)->signature();
  MORTISE_EXPECT(!one.empty() && one.find('\n') == std::string::npos,
                 "the signature is empty or has several lines");
  MORTISE_EXPECT_EQ(one, make<Metric>(f)->signature(), "two instances sign differently");
}

}  // namespace

Suite metric_suite() {
  return {"metric",
          args<Metric>,
          {{"gives statistics of one length, all finite", one_length},
           {"scores an empty corpus", empty_corpus},
           {"sums of shards equal one pass", shards_add_up},
           {"names its scores", scores_are_named},
           {"is pure, also from several threads", is_pure},
           {"survives text that is no UTF-8", survives_broken_text},
           {"signs its numbers", signature_is_stable}}};
}

}  // namespace mortise::conform
