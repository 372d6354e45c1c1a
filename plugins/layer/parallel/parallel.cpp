// y = x + attention(norm₁(x)) + ffn(norm₂(x)), or both behind one norm.
// Source: Wang & Komatsuzaki, GPT-J-6B; Black et al., "GPT-NeoX-20B", arXiv:2204.06745, §2.1 (two
// norms, although the paper's text describes one).
#include "parallel.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"

namespace mortise::layer::parallel {

Parallel::Parallel(Config config, const LayerArgs& args) {
  Host* host = config.attention.host();
  attention_norm_ = add_child("input_layernorm", make_norm(config.norm, args, host));
  attention_ = add_child(
      "self_attn", std::shared_ptr<Attention>(config.attention.make({args.build, args.width})));
  if (!config.shared_norm)
    ffn_norm_ = add_child("post_attention_layernorm", make_norm(config.norm, args, host));
  ffn_ = add_child("mlp", std::shared_ptr<Ffn>(config.ffn.make({args.build, args.width})));
}

BlockOutput Parallel::forward(const BlockInput& in) {
  BlockInput inner = in;
  inner.x_BTD = attention_norm_->forward(in.x_BTD);
  const at::Tensor ffn_BTD =
      ffn_->forward(ffn_norm_ == nullptr ? inner.x_BTD : ffn_norm_->forward(in.x_BTD));
  BlockOutput out;
  out.x_BTD = in.x_BTD + attention_->forward(inner) + ffn_BTD;
  return out;
}

void Parallel::Config::describe(Schema<Config>& schema) {
  schema.field("attention", &Config::attention, "mixes tokens").required();
  schema.field("ffn", &Config::ffn, "transforms each token").required();
  schema.field("norm", &Config::norm, "before both parts; absent: the model's norm");
  schema.field("shared_norm", &Config::shared_norm, "one norm for both parts (GPT-J)");
}

}  // namespace mortise::layer::parallel

MORTISE_PLUGIN("org.mortise.layer.parallel",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::layer::parallel::Parallel>(
                   "parallel", "attention and feed-forward side by side"));
