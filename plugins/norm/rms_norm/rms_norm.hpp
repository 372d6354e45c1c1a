// Root-mean-square normalisation.
#pragma once

#include "mortise/schema.hpp"
#include "mortise/torch/norm.hpp"

namespace mortise::norm::rms_norm {

class RmsNorm final : public Norm {
 public:
  struct Config {
    double eps = 1e-6;
    static void describe(Schema<Config>& schema);
  };

  RmsNorm(Config config, const NormArgs& args);
  at::Tensor forward(const at::Tensor& x) override;

 private:
  Config config_;
  at::Tensor weight_D_;
};

}  // namespace mortise::norm::rms_norm
