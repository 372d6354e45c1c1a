// Expert-choice routing: each expert takes the tokens of its highest scores.
#pragma once

#include <optional>

#include "mortise/schema.hpp"
#include "mortise/torch/router.hpp"

namespace mortise::router::expert_choice {

class ExpertChoice final : public Router {
 public:
  struct Config {
    std::optional<int64_t> experts = std::nullopt;
    double capacity_factor = 2;
    static void describe(Schema<Config>& schema);
  };

  ExpertChoice(Config config, const RouterArgs& args);
  Routes route(const RouteInput& in) override;

  RouteGranularity granularity() const override { return RouteGranularity::Token; }

  int64_t num_paths() const override { return experts_; }

 private:
  Config config_;
  int64_t experts_ = 0;
  at::Tensor weight_ED_;
};

}  // namespace mortise::router::expert_choice
