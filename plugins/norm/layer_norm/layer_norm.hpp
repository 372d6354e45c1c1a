// Layer normalisation.
#pragma once

#include "mortise/schema.hpp"
#include "mortise/torch/norm.hpp"

namespace mortise::norm::layer_norm {

class LayerNorm final : public Norm {
 public:
  struct Config {
    double eps = 1e-5;
    bool bias = true;
    static void describe(Schema<Config>& schema);
  };

  LayerNorm(Config config, const NormArgs& args);
  at::Tensor forward(const at::Tensor& x) override;

 private:
  Config config_;
  at::Tensor weight_D_, bias_D_;
};

}  // namespace mortise::norm::layer_norm
