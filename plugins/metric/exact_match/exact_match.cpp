// Exact match: hits / samples, where a hit equals any reference after the chosen normalisation.
// Statistics of a sample: {hit, 1}.  White space and lower-casing follow Python's str.strip and
// str.lower.
#include "exact_match.hpp"

#include <algorithm>

#include "mortise/plugin.hpp"
#include "mortise/pytext.hpp"

namespace mortise::metric::exact_match {

ExactMatch::ExactMatch(Config config) : config_(config) {}

std::string ExactMatch::normalized(std::string_view text) const {
  if (config_.strip) text = pytext::strip(text);
  return config_.ignore_case ? pytext::lower(text) : std::string(text);
}

Stats ExactMatch::sample(const Sample& sample) const {
  const std::string prediction = normalized(sample.prediction);
  const bool hit = std::any_of(
      sample.references.begin(), sample.references.end(), [&](const std::string& reference) {
        return normalized(reference) == prediction;
      });
  return {hit ? 1.0 : 0.0, 1.0};
}

std::vector<Score> ExactMatch::compute(const Stats& sum) const {
  return {{"exact_match", sum.size() == 2 && sum[1] > 0 ? sum[0] / sum[1] : 0.0}};
}

std::string ExactMatch::signature() const {
  return fmt::format("case:{}|strip:{}|version:1",
                     config_.ignore_case ? "lower" : "mixed",
                     config_.strip ? "yes" : "no");
}

void ExactMatch::Config::describe(Schema<Config>& schema) {
  schema.field("ignore_case", &Config::ignore_case, "compare lower-cased texts");
  schema.field("strip", &Config::strip, "ignore white space at both ends");
}

}  // namespace mortise::metric::exact_match

MORTISE_PLUGIN("org.mortise.metric.exact_match",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::metric::exact_match::ExactMatch>(
                   "exact_match", "share of predictions equal to a reference"));
