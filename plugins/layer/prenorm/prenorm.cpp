// h = x + attention(norm₁(x));  y = h + ffn(norm₂(h)).
// Source: Xiong et al., "On Layer Normalization in the Transformer Architecture", arXiv:2002.04745,
// fig. 1b.
#include "prenorm.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"

namespace mortise::layer::prenorm {

Prenorm::Prenorm(Config config, const LayerArgs& args) {
  Host* host = config.attention.host();
  attention_norm_ = add_child("input_layernorm", make_norm(config.norm, args, host));
  attention_ = add_child(
      "self_attn", std::shared_ptr<Attention>(config.attention.make({args.build, args.width})));
  ffn_norm_ = add_child("post_attention_layernorm", make_norm(config.norm, args, host));
  ffn_ = add_child("mlp", std::shared_ptr<Ffn>(config.ffn.make({args.build, args.width})));
}

BlockOutput Prenorm::forward(const BlockInput& in) {
  BlockInput inner = in;
  inner.x_BTD = attention_norm_->forward(in.x_BTD);
  const auto [hidden_BTD, normed_BTD] =
      add_and_norm(*ffn_norm_, in.x_BTD, attention_->forward(inner));
  BlockOutput out;
  out.x_BTD = hidden_BTD + ffn_->forward(normed_BTD);
  return out;
}

void Prenorm::Config::describe(Schema<Config>& schema) {
  schema.field("attention", &Config::attention, "mixes tokens").required();
  schema.field("ffn", &Config::ffn, "transforms each token").required();
  schema.field("norm", &Config::norm, "before both parts; absent: the model's norm");
}

}  // namespace mortise::layer::prenorm

MORTISE_PLUGIN("org.mortise.layer.prenorm",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::layer::prenorm::Prenorm>(
                   "prenorm", "norm → attention → add, norm → feed-forward → add"));
