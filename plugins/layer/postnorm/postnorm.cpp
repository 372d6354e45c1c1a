// norm_of = sum:   h = norm₁(x + attention(x));  y = norm₂(h + ffn(h)).
// Source: Vaswani et al., "Attention Is All You Need", arXiv:1706.03762, §3.1.
// norm_of = part:  h = x + norm₁(attention(x));  y = h + norm₂(ffn(h)).
// Source: "2 OLMo 2 Furious", arXiv:2501.00656, eq. 1 and 2.
#include "postnorm.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"

namespace mortise::layer::postnorm {

Postnorm::Postnorm(Config config, const LayerArgs& args) : norm_of_sum_(config.norm_of == "sum") {
  Host* host = config.attention.host();
  attention_ = add_child(
      "self_attn", std::shared_ptr<Attention>(config.attention.make({args.build, args.width})));
  attention_norm_ = add_child("post_attention_layernorm", make_norm(config.norm, args, host));
  ffn_ = add_child("mlp", std::shared_ptr<Ffn>(config.ffn.make({args.build, args.width})));
  ffn_norm_ = add_child("post_feedforward_layernorm", make_norm(config.norm, args, host));
}

BlockOutput Postnorm::forward(const BlockInput& in) {
  const auto join = [this](const at::Tensor& x_BTD, const at::Tensor& part_BTD, Norm& norm) {
    return norm_of_sum_ ? add_and_norm(norm, x_BTD, part_BTD).second
                        : x_BTD + norm.forward(part_BTD);
  };
  const at::Tensor hidden_BTD = join(in.x_BTD, attention_->forward(in), *attention_norm_);
  BlockOutput out;
  out.x_BTD = join(hidden_BTD, ffn_->forward(hidden_BTD), *ffn_norm_);
  return out;
}

void Postnorm::Config::describe(Schema<Config>& schema) {
  schema.field("attention", &Config::attention, "mixes tokens").required();
  schema.field("ffn", &Config::ffn, "transforms each token").required();
  schema.field("norm", &Config::norm, "after both parts; absent: the model's norm");
  schema
      .field("norm_of",
             &Config::norm_of,
             "what is normalised: the residual sum (original Transformer), or the part's result "
             "before it is added (OLMo 2)")
      .one_of({"sum", "part"});
}

}  // namespace mortise::layer::postnorm

MORTISE_PLUGIN("org.mortise.layer.postnorm",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::layer::postnorm::Postnorm>(
                   "postnorm", "attention and feed-forward, each normalised afterwards"));
