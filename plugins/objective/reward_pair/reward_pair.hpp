// A reward model from pairs of answers.
#pragma once

#include <string>

#include "mortise/schema.hpp"
#include "mortise/torch/objective.hpp"

namespace mortise::objective::reward_pair {

class RewardPair final : public Objective, public ext::SampleScores {
 public:
  struct Config {
    std::string pooling = "last";
    double margin = 0;
    double centre = 0;
    static void describe(Schema<Config>& schema);
  };

  explicit RewardPair(Config config);

  LossUnit unit() const override { return LossUnit::Pair; }

  /// Throws: Error when the data has no pairs or the head more than one output.
  ObjectiveOutput forward(const ObjectiveInput& in) override;
  at::Tensor sample_scores(const ObjectiveInput& in) override;

 private:
  Config config_;
};

}  // namespace mortise::objective::reward_pair
