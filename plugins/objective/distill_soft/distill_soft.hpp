// Distillation of a teacher's distribution.
#pragma once

#include <string>

#include "mortise/schema.hpp"
#include "mortise/torch/objective.hpp"

namespace mortise::objective::distill_soft {

class DistillSoft final : public Objective {
 public:
  struct Config {
    double temperature = 2;
    double alpha = 0.5;
    std::string reference = {};
    int64_t chunk = 0;
    static void describe(Schema<Config>& schema);
  };

  explicit DistillSoft(Config config);
  /// Throws: Error when the recipe has no reference, or one with another vocabulary.
  ObjectiveOutput forward(const ObjectiveInput& in) override;

 private:
  Config config_;
};

}  // namespace mortise::objective::distill_soft
