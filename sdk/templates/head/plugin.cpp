// @NAME@: logits = h · Wᵀ / temperature, never tied.
#include <ATen/ATen.h>
#include <mortise/plugin.hpp>
#include <mortise/torch/head.hpp>

struct @CLASS@ final : mortise::Head {
  struct Config {
    double temperature = 1.0;
    static void describe(mortise::Schema<Config>& s) { s.field("temperature", &Config::temperature, "divides the logits").above(0); }
  };
  @CLASS@(Config config, const mortise::HeadArgs& args) : config_(config), weight_VD_(add_parameter("weight", {args.vocab, args.width}, args.build, mortise::Init::normal())) {}
  at::Tensor logits(const at::Tensor& hidden_ND) override { return at::matmul(hidden_ND, weight_VD_.t()) / config_.temperature; }
  Config config_;
  at::Tensor weight_VD_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "one matrix and a temperature"));
