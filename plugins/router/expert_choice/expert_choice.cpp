// S = softmax(W x) over experts; expert e takes the C = ⌈N · factor / E⌉ tokens of its highest
// S[·, e] and weighs them by it.  Every expert is full, so there is no balance loss.
//
// Source: Zhou et al., "Mixture-of-Experts with Expert Choice Routing", arXiv:2202.09368, eq. 1–3.
// The choice looks at all tokens of the micro-batch: a token's experts depend on later tokens and
// on other documents, so a language model trained with it sees a little of its future.
#include "expert_choice.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/routing.hpp"

namespace mortise::router::expert_choice {

ExpertChoice::ExpertChoice(Config config, const RouterArgs& args)
    : config_(config), experts_(config.experts.value_or(args.num_paths)) {
  MORTISE_CHECK(experts_ > 0, "nobody says how many experts there are: set experts in the router");
  MORTISE_CHECK(args.num_paths == 0 || args.num_paths == experts_,
                "the router has {} experts and the path set {}",
                experts_,
                args.num_paths);
  weight_ED_ = add_parameter("weight", {experts_, args.width}, args.build, Init::normal());
}

Routes ExpertChoice::route(const RouteInput& in) {
  const RouteItems items = valid_items(in);
  const at::ScalarType type = route_dtype(in.x_ND);
  const at::Tensor probability_NE =
      at::softmax(at::matmul(items.x_ND.to(type), weight_ED_.to(type).t()), 1);
  RouteDecision decision;
  if (in.replay_2M.defined()) {
    decision = replayed(in, items, experts_);
  } else {
    const double share = static_cast<double>(items.count()) / static_cast<double>(experts_);
    const auto capacity = static_cast<int64_t>(std::ceil(share * config_.capacity_factor));
    const at::Tensor score_EN = probability_NE.detach().t().contiguous();
    decision = choose_top_k(score_EN, std::min(capacity, items.count()));
    decision.chosen_NP = decision.chosen_NP.t().contiguous();
  }
  Routes routes = make_routes(items, decision, probability_NE);
  if (items.count() == 0) return routes;
  routes.stats = load_stats(routes.counts_P);
  routes.stats.push_back(
      {"drop_rate", decision.chosen_NP.any(1).logical_not().to(at::kDouble).mean()});
  return routes;
}

void ExpertChoice::Config::describe(Schema<Config>& schema) {
  schema.field("experts", &Config::experts, "experts that choose; absent: those of the path set")
      .min(1);
  schema
      .field("capacity_factor",
             &Config::capacity_factor,
             "experts a token gets on average; an expert takes ⌈tokens · factor / experts⌉")
      .above(0);
}

}  // namespace mortise::router::expert_choice

MORTISE_PLUGIN("org.mortise.router.expert_choice",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::router::expert_choice::ExpertChoice>(
                   "expert_choice", "each expert takes the tokens of its highest scores"));
