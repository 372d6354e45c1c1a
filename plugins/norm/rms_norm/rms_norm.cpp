// y = w · x / sqrt(mean(x²) + eps), statistics in fp32.  Source: Zhang & Sennrich, "Root Mean
// Square Layer Normalization", arXiv:1910.07467, eq. 4.
#include "rms_norm.hpp"

#include "mortise/plugin.hpp"
#include "mortise/torch/ops.hpp"
#include "mortise/torch/precision.hpp"

namespace mortise::norm::rms_norm {

RmsNorm::RmsNorm(Config config, const NormArgs& args)
    : config_(config), weight_D_(add_parameter("weight", {args.width}, args.build, Init::ones())) {}

at::Tensor RmsNorm::forward(const at::Tensor& x) {
  return in_dtype_of(weight_D_, x, [this](const at::Tensor& own) {
    return ops::rms_norm(own, weight_D_, config_.eps);
  });
}

std::pair<at::Tensor, at::Tensor> RmsNorm::add_forward(const at::Tensor& x,
                                                       const at::Tensor& part) {
  if (weight_D_.scalar_type() == x.scalar_type())
    return ops::add_rms_norm(x, part, weight_D_, config_.eps);
  const at::Tensor sum = x.add(part);
  return {sum, forward(sum)};
}

void RmsNorm::Config::describe(Schema<Config>& schema) {
  schema.field("eps", &Config::eps, "added to the mean of squares").above(0);
}

}  // namespace mortise::norm::rms_norm

MORTISE_PLUGIN("org.mortise.norm.rms_norm",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::norm::rms_norm::RmsNorm>(
                   "rms_norm", "divides by the root mean square, then scales"));
