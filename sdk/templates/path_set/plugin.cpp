// @NAME@: experts y = W₂ · relu(W₁ · x)², each with its own matrices.
#include <ATen/ATen.h>
#include <mortise/plugin.hpp>
#include <mortise/torch/grouped_linear.hpp>
#include <mortise/torch/path_set.hpp>

struct @CLASS@ final : mortise::PathSet {
  struct Config {
    int64_t experts = 4;
    int64_t hidden = 64;
    static void describe(mortise::Schema<Config>& s) {
      s.field("experts", &Config::experts, "number of experts").min(1).max(4096);
      s.field("hidden", &Config::hidden, "inner width of an expert").min(1).max(65536);
    }
  };
  @CLASS@(Config config, const mortise::PathSetArgs& args)
      : up_(add_child("up_proj", std::make_shared<mortise::GroupedLinear>(args.build, config.experts, args.width, config.hidden))),
        down_(add_child("down_proj", std::make_shared<mortise::GroupedLinear>(args.build, config.experts, config.hidden, args.width, /*residual=*/true))) {
    MORTISE_CHECK(args.num_paths == 0 || args.num_paths == config.experts, "the router has {} paths and the path set {}", args.num_paths, config.experts);
  }
  at::Tensor run_tokens(const at::Tensor& x_MD, std::span<const int64_t> borders) override {
    return (*down_)(at::relu((*up_)(x_MD, borders)).square(), borders);
  }
  mortise::RouteGranularity granularity() const override { return mortise::RouteGranularity::Token; }
  int64_t num_paths() const override { return up_->num_experts(); }
  std::shared_ptr<mortise::GroupedLinear> up_, down_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "experts with a squared ReLU"));
