// y = w · (x − mean(x)) / sqrt(var(x) + eps) + b by ATen's fused kernel, which keeps its statistics
// in fp32.  Source: Ba, Kiros & Hinton, "Layer Normalization", arXiv:1607.06450, eq. 4.
#include "layer_norm.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/precision.hpp"

namespace mortise::norm::layer_norm {

LayerNorm::LayerNorm(Config config, const NormArgs& args)
    : config_(config), weight_D_(add_parameter("weight", {args.width}, args.build, Init::ones())) {
  if (config.bias) bias_D_ = add_parameter("bias", {args.width}, args.build, Init::zeros());
}

at::Tensor LayerNorm::forward(const at::Tensor& x) {
  return in_dtype_of(weight_D_, x, [this](const at::Tensor& own) {
    return at::layer_norm(own, weight_D_.sizes(), weight_D_, bias_D_, config_.eps);
  });
}

void LayerNorm::Config::describe(Schema<Config>& schema) {
  schema.field("eps", &Config::eps, "added to the variance").above(0);
  schema.field("bias", &Config::bias, "adds a learned vector");
}

}  // namespace mortise::norm::layer_norm

MORTISE_PLUGIN("org.mortise.norm.layer_norm",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::norm::layer_norm::LayerNorm>(
                   "layer_norm", "subtracts the mean, divides by the deviation, scales, shifts"));
