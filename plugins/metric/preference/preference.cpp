// Bradley–Terry from outside: P(chosen beats rejected) = σ(s_chosen − s_rejected), so
//   accuracy = share with a positive difference, margin = its mean, log_loss = mean of −log σ.
#include "preference.hpp"

#include <cmath>

#include "mortise/plugin.hpp"

namespace mortise::metric::preference {

Stats Preference::sample(const Sample& sample) const {
  MORTISE_CHECK(sample.scores.size() == 2 && (sample.label == 0 || sample.label == 1),
                "a preference is between two scores, got {} and the label {}; classes are for a "
                "metric of classes",
                sample.scores.size(),
                sample.label);
  const auto right = static_cast<size_t>(sample.label);
  const double chosen = sample.scores[right], rejected = sample.scores[1 - right],
               margin = chosen - rejected;
  MORTISE_CHECK(!std::isnan(margin), "a score of a pair is nan: the model's output holds nan");
  const double loss = std::max(-margin, 0.0) + std::log1p(std::exp(-std::fabs(margin)));
  return {margin > 0 ? 1.0 : 0.0, chosen, rejected, loss, 1.0};
}

std::vector<Score> Preference::compute(const Stats& sum) const {
  MORTISE_CHECK_EQ(sum.size(), size_t{5}, "statistics of another metric");
  const auto mean = [&](double total) { return sum[4] > 0 ? total / sum[4] : 0; };
  return {{"accuracy", mean(sum[0])},
          {"margin", mean(sum[1] - sum[2])},
          {"chosen", mean(sum[1])},
          {"rejected", mean(sum[2])},
          {"log_loss", mean(sum[3])}};
}

std::string Preference::signature() const { return "ties:miss|log:natural|version:1"; }

void Preference::Config::describe(Schema<Config>& schema) { schema.needs("sample_scores"); }

}  // namespace mortise::metric::preference

MORTISE_PLUGIN("org.mortise.metric.preference",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::metric::preference::Preference>(
                   "preference", "share of pairs in the right order, and by how much"));
