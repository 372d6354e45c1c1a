// Recompute of activations by unit.
#pragma once

#include "mortise/schema.hpp"
#include "mortise/torch/parallel.hpp"

namespace mortise::parallel::recompute {

class Recompute final : public Parallel {
 public:
  struct Config {
    int64_t every = 1;
    static void describe(Schema<Config>& schema);
  };

  Recompute(Config config, const ParallelArgs&) : config_(config) {}

  ParallelPhase phase() const override { return ParallelPhase::Recompute; }

  UnitRunner wrap(int64_t layer, UnitRunner unit) override;

 private:
  Config config_;
};

}  // namespace mortise::parallel::recompute
