// @NAME@: each token takes the path of its highest score, weighted by the sigmoid of that score.
#include <ATen/ATen.h>
#include <mortise/plugin.hpp>
#include <mortise/torch/routing.hpp>

struct @CLASS@ final : mortise::Router {
  struct Config {
    std::optional<int64_t> experts;
    static void describe(mortise::Schema<Config>& s) { s.field("experts", &Config::experts, "paths to choose from; absent: those of the path set").min(1).max(65536); }
  };
  @CLASS@(Config config, const mortise::RouterArgs& args) : paths_(config.experts.value_or(args.num_paths)) {
    MORTISE_CHECK(paths_ > 0 && (args.num_paths == 0 || args.num_paths == paths_), "the router has {} paths and the path set {}", paths_, args.num_paths);
    weight_ = add_parameter("weight", {paths_, args.width}, args.build, mortise::Init::normal());
  }
  mortise::Routes route(const mortise::RouteInput& in) override {
    const mortise::RouteItems items = mortise::valid_items(in);
    const at::ScalarType type = mortise::route_dtype(in.x_ND);
    const at::Tensor scores = at::matmul(items.x_ND.to(type), weight_.to(type).t());
    const auto decision = in.replay_2M.defined() ? mortise::replayed(in, items, paths_) : mortise::choose_top_k(scores, 1);
    mortise::Routes routes = mortise::make_routes(items, decision, at::sigmoid(scores));
    routes.stats = mortise::load_stats(routes.counts_P);
    return routes;
  }
  mortise::RouteGranularity granularity() const override { return mortise::RouteGranularity::Token; }
  int64_t num_paths() const override { return paths_; }
  int64_t paths_ = 0;
  at::Tensor weight_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "each token takes the path of its highest score"));
