// @NAME@: y = W₂ · relu(W₁ · x)².
#include <ATen/ATen.h>
#include <mortise/plugin.hpp>
#include <mortise/torch/ffn.hpp>

struct @CLASS@ final : mortise::Ffn {
  struct Config {
    int64_t hidden = 64;
    static void describe(mortise::Schema<Config>& s) { s.field("hidden", &Config::hidden, "inner width").min(1).max(1048576); }
  };
  @CLASS@(Config config, const mortise::FfnArgs& args)
      : up_(add_child("up_proj", std::make_shared<mortise::Linear>(args.build, args.width, config.hidden))),
        down_(add_child("down_proj", std::make_shared<mortise::Linear>(args.build, config.hidden, args.width, mortise::LinearOptions{.residual = true}))) {}
  at::Tensor forward(const at::Tensor& x) override { return (*down_)(at::relu((*up_)(x)).square()); }
  std::shared_ptr<mortise::Linear> up_, down_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "two projections around a squared ReLU"));
