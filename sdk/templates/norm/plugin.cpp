// @NAME@: y = (x − mean) / (standard deviation + eps) · w over the last dimension, statistics in fp32.
#include <ATen/ATen.h>
#include <mortise/plugin.hpp>
#include <mortise/torch/norm.hpp>

struct @CLASS@ final : mortise::Norm {
  struct Config {
    double eps = 1e-6;
    static void describe(mortise::Schema<Config>& s) { s.field("eps", &Config::eps, "added to the standard deviation").above(0); }
  };
  @CLASS@(Config config, const mortise::NormArgs& args) : config_(config), weight_D_(add_parameter("weight", {args.width}, args.build, mortise::Init::ones())) {}
  at::Tensor forward(const at::Tensor& x) override {
    const at::Tensor wide = x.to(at::promote_types(x.scalar_type(), at::kFloat)), centred = wide - wide.mean(-1, true);
    return (centred / (centred.square().mean(-1, true) + config_.eps).sqrt() * weight_D_).to(x.scalar_type());
  }
  Config config_;
  at::Tensor weight_D_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "standardises, then scales"));
