// y = W_down gelu(W_up x + b) + b with gelu(x) = x·Φ(x), or its tanh form
// ½x(1 + tanh(√(2/π)(x + 0.044715x³))).  Source: Hendrycks & Gimpel, "Gaussian Error Linear Units",
// arXiv:1606.08415, §2.
#include "gelu.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"

namespace mortise::ffn::gelu {

Gelu::Gelu(Config config, const FfnArgs& args)
    : approximate_(config.form == "tanh" ? "tanh" : "none") {
  const auto linear = [&](int64_t in, int64_t out, bool residual) {
    const LinearOptions options = {.bias = config.bias, .residual = residual};
    return std::make_shared<Linear>(args.build, in, out, options);
  };
  up_ = add_child("up_proj", linear(args.width, config.hidden, /*residual=*/false));
  down_ = add_child("down_proj", linear(config.hidden, args.width, /*residual=*/true));
}

at::Tensor Gelu::forward(const at::Tensor& x) {
  return (*down_)(at::gelu((*up_)(x), approximate_));
}

void Gelu::Config::describe(Schema<Config>& schema) {
  schema.field("hidden", &Config::hidden, "inner width").required().min(1);
  schema.field("bias", &Config::bias, "biases on both projections");
  schema.field("form", &Config::form, "x·Φ(x) itself, or its approximation by a tanh (GPT-2)")
      .one_of({"exact", "tanh"});
}

}  // namespace mortise::ffn::gelu

MORTISE_PLUGIN("org.mortise.ffn.gelu",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::ffn::gelu::Gelu>("gelu",
                                                            "two projections with GELU between"));
