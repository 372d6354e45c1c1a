// @NAME@: x + ffn(norm(x)); tokens are not mixed.
#include <ATen/ATen.h>
#include <mortise/plugin.hpp>
#include <mortise/torch/ffn.hpp>
#include <mortise/torch/layer.hpp>

struct @CLASS@ final : mortise::Layer {
  struct Config {
    mortise::Use<mortise::Ffn> ffn;
    static void describe(mortise::Schema<Config>& s) { s.field("ffn", &Config::ffn, "transforms each token").required(); }
  };
  @CLASS@(Config config, const mortise::LayerArgs& args) : ffn_(add_child("mlp", std::shared_ptr<mortise::Ffn>(config.ffn.make({args.build, args.width})))) {}
  mortise::BlockOutput forward(const mortise::BlockInput& in) override {
    mortise::BlockOutput out;
    out.x_BTD = in.x_BTD + ffn_->forward(in.x_BTD);
    return out;
  }
  std::shared_ptr<mortise::Ffn> ffn_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "a feed-forward layer with a residual"));
