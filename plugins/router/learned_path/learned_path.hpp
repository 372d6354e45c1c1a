// A learned gate that gives each sample one path.
#pragma once

#include <string>

#include "mortise/schema.hpp"
#include "mortise/torch/router.hpp"

namespace mortise::router::learned_path {

class LearnedPath final : public Router {
 public:
  struct Config {
    std::string estimator = "straight_through";
    double temperature = 1;
    double aux_loss = 0.01;
    static void describe(Schema<Config>& schema);
  };

  LearnedPath(Config config, const RouterArgs& args);
  Routes route(const RouteInput& in) override;

  RouteGranularity granularity() const override { return RouteGranularity::Sample; }

  int64_t num_paths() const override { return num_paths_; }

 private:
  at::Tensor scores(const at::Tensor& x_ND) const;

  Config config_;
  int64_t num_paths_ = 0;
  at::Tensor weight_PD_;
};

}  // namespace mortise::router::learned_path
