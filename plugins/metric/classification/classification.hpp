// Accuracy, macro-F1 and log loss of held-out samples.
#pragma once

#include "mortise/metric.hpp"
#include "mortise/schema.hpp"

namespace mortise::metric::classification {

class Classification final : public Metric {
 public:
  struct Config {
    static void describe(Schema<Config>& schema);
  };

  explicit Classification(Config) {}

  Needs needs() const override { return Needs::Scores; }

  /// The confusion matrix (label, then prediction) and −log softmax(scores)[label].  Throws: Error
  /// when the label has no score or a score is nan.
  Stats sample(const Sample& sample) const override;
  std::vector<Score> compute(const Stats& sum) const override;
  std::string signature() const override;
};

}  // namespace mortise::metric::classification
