// Root-mean-square normalisation.
#pragma once

#include "mortise/schema.hpp"
#include "mortise/torch/norm.hpp"

namespace mortise::norm::rms_norm {

class RmsNorm final : public Norm, public ext::AddNorm {
 public:
  struct Config {
    double eps = 1e-6;
    static void describe(Schema<Config>& schema);
  };

  RmsNorm(Config config, const NormArgs& args);
  at::Tensor forward(const at::Tensor& x) override;
  std::pair<at::Tensor, at::Tensor> add_forward(const at::Tensor& x,
                                                const at::Tensor& part) override;

 private:
  Config config_;
  at::Tensor weight_D_;
};

}  // namespace mortise::norm::rms_norm
