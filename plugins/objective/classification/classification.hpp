// The class of each sample by cross-entropy.
#pragma once

#include <string>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/torch/objective.hpp"

namespace mortise::objective::classification {

class Classification final : public Objective, public ext::SampleScores {
 public:
  struct Config {
    std::string pooling = "last";
    std::vector<double> class_weights = {};
    double label_smoothing = 0;
    static void describe(Schema<Config>& schema);
  };

  explicit Classification(Config config);

  LossUnit unit() const override { return LossUnit::Sample; }

  /// Throws: Error when the data has no labels, or one that the head has no output for.
  ObjectiveOutput forward(const ObjectiveInput& in) override;
  at::Tensor sample_scores(const ObjectiveInput& in) override;

 private:
  Config config_;
};

}  // namespace mortise::objective::classification
