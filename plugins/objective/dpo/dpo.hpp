// Direct preference optimisation.
#pragma once

#include <string>

#include "mortise/schema.hpp"
#include "mortise/torch/objective.hpp"

namespace mortise::objective::dpo {

class Dpo final : public Objective, public ext::SampleScores {
 public:
  struct Config {
    double beta = 0.1;
    std::string loss = "sigmoid";
    double label_smoothing = 0;
    std::string reference = {};
    int64_t chunk = 0;
    static void describe(Schema<Config>& schema);
  };

  explicit Dpo(Config config);

  LossUnit unit() const override { return LossUnit::Pair; }

  /// Throws: Error when the data has no pairs or the recipe no reference.
  ObjectiveOutput forward(const ObjectiveInput& in) override;
  at::Tensor sample_scores(const ObjectiveInput& in) override;

 private:
  at::Tensor gains(const ObjectiveInput& in) const;

  Config config_;
};

}  // namespace mortise::objective::dpo
