// y = W_down (silu(W_gate x) · W_up x).  Source: Shazeer, "GLU Variants Improve Transformer",
// arXiv:2002.05202, eq. 6.
#include "swiglu.hpp"

#include "mortise/plugin.hpp"
#include "mortise/torch/ops.hpp"

namespace mortise::ffn::swiglu {

Swiglu::Swiglu(Config config, const FfnArgs& args) {
  const auto linear = [&](int64_t in, int64_t out, bool residual) {
    const LinearOptions options = {.bias = config.bias, .residual = residual};
    return std::make_shared<Linear>(args.build, in, out, options);
  };
  gate_ = add_child("gate_proj", linear(args.width, config.hidden, /*residual=*/false));
  up_ = add_child("up_proj", linear(args.width, config.hidden, /*residual=*/false));
  down_ = add_child("down_proj", linear(config.hidden, args.width, /*residual=*/true));
}

at::Tensor Swiglu::forward(const at::Tensor& x) {
  const std::vector<at::Tensor> gate_up = project(x, {gate_.get(), up_.get()});
  return (*down_)(ops::swiglu(gate_up[0], gate_up[1]));
}

void Swiglu::Config::describe(Schema<Config>& schema) {
  schema.field("hidden", &Config::hidden, "inner width").required().min(1);
  schema.field("bias", &Config::bias, "biases on all three projections");
}

}  // namespace mortise::ffn::swiglu

MORTISE_PLUGIN("org.mortise.ffn.swiglu",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::ffn::swiglu::Swiglu>(
                   "swiglu", "gated feed-forward layer with SiLU"));
