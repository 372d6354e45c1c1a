// Token-choice routing: each token takes the k experts of its highest scores.
#pragma once

#include <optional>
#include <string>

#include "mortise/schema.hpp"
#include "mortise/torch/router.hpp"

namespace mortise::router::topk {

class Topk final : public Router {
 public:
  struct Config {
    std::optional<int64_t> experts = std::nullopt;
    int64_t k = 2;
    std::string softmax = "before";
    bool renormalise = true;
    bool noisy = false;
    double jitter = 0;
    double aux_loss = 0;
    double sequence_aux_loss = 0;
    double z_loss = 0;
    std::optional<double> capacity_factor = std::nullopt;
    std::string drop = "probs";
    static void describe(Schema<Config>& schema);
  };

  Topk(Config config, const RouterArgs& args);
  Routes route(const RouteInput& in) override;

  RouteGranularity granularity() const override { return RouteGranularity::Token; }

  int64_t num_paths() const override { return experts_; }

 private:
  at::Tensor scores(const at::Tensor& x_ND) const;
  at::Tensor weights(const at::Tensor& scores_NE, const at::Tensor& chosen_NE) const;

  Config config_;
  int64_t experts_ = 0;
  at::Tensor weight_ED_, noise_ED_;
};

}  // namespace mortise::router::topk
