// Accuracy and margin of held-out pairs.
#pragma once

#include "mortise/metric.hpp"
#include "mortise/schema.hpp"

namespace mortise::metric::preference {

class Preference final : public Metric {
 public:
  struct Config {
    static void describe(Schema<Config>& schema);
  };

  explicit Preference(Config) {}

  Needs needs() const override { return Needs::Scores; }

  /// {chosen > rejected, chosen, rejected, log loss, 1}.  Throws: Error unless there are two
  /// scores.
  Stats sample(const Sample& sample) const override;
  std::vector<Score> compute(const Stats& sum) const override;
  std::string signature() const override;
};

}  // namespace mortise::metric::preference
