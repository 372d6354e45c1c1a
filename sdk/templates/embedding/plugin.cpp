// @NAME@: x = scale · W[id].
#include <ATen/ATen.h>
#include <mortise/plugin.hpp>
#include <mortise/torch/embedding.hpp>

struct @CLASS@ final : mortise::Embedding {
  struct Config {
    double scale = 1.0;
    static void describe(mortise::Schema<Config>& s) { s.field("scale", &Config::scale, "factor on every vector").above(0); }
  };
  @CLASS@(Config config, const mortise::EmbeddingArgs& args) : config_(config), weight_VD_(add_parameter("weight", {args.vocab, args.width}, args.build, mortise::Init::normal())) {}
  at::Tensor forward(const at::Tensor& ids_BT, const at::Tensor&) override { return at::embedding(weight_VD_, ids_BT) * config_.scale; }
  at::Tensor weight() const override { return weight_VD_; }
  Config config_;
  at::Tensor weight_VD_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "one scaled vector a token"));
