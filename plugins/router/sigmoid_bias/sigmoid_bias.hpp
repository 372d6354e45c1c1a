// The router of DeepSeek-V3: sigmoid scores, groups, and a bias that balances the load.
#pragma once

#include <optional>

#include "mortise/schema.hpp"
#include "mortise/torch/router.hpp"

namespace mortise::router::sigmoid_bias {

class SigmoidBias final : public Router {
 public:
  struct Config {
    std::optional<int64_t> experts = std::nullopt;
    int64_t k = 2;
    int64_t groups = 1;
    std::optional<int64_t> group_limit = std::nullopt;
    bool renormalise = true;
    double scale = 1;
    double bias_rate = 1e-3;
    double sequence_aux_loss = 0;
    static void describe(Schema<Config>& schema);
  };

  SigmoidBias(Config config, const RouterArgs& args);
  Routes route(const RouteInput& in) override;
  void after_step(const at::Tensor& counts_P) override;

  RouteGranularity granularity() const override { return RouteGranularity::Token; }

  int64_t num_paths() const override { return experts_; }

 private:
  at::Tensor in_best_groups(const at::Tensor& choice_NE) const;

  Config config_;
  int64_t experts_ = 0, group_limit_ = 0;
  at::Tensor weight_ED_, bias_E_;
};

}  // namespace mortise::router::sigmoid_bias
