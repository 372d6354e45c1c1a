// p = softmax(W x / τ) of a pooled sample x; it takes the path of the highest p.  The weight of
// that path is 1 forward and p backward (straight-through), so the path runs at full strength and
// the gate still learns.  With the Gumbel estimator, −log(−log u) is added to W x while training,
// so that a path is drawn with probability p.
//
// Sources: Bengio et al., arXiv:1308.3432 (straight-through); Jang et al., "Categorical
// Reparameterization with Gumbel-Softmax", arXiv:1611.01144, eq. 1–2.
#include "learned_path.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/routing.hpp"

namespace mortise::router::learned_path {

LearnedPath::LearnedPath(Config config, const RouterArgs& args)
    : config_(std::move(config)), num_paths_(args.num_paths) {
  MORTISE_CHECK(num_paths_ > 0, "learned_path needs a path set that says how many paths it has");
  weight_PD_ = add_parameter("weight", {num_paths_, args.width}, args.build, Init::normal());
}

at::Tensor LearnedPath::scores(const at::Tensor& x_ND) const {
  const at::ScalarType type = route_dtype(x_ND);
  at::Tensor scores_NP = at::matmul(x_ND.to(type), weight_PD_.to(type).t());
  if (is_training() && config_.estimator == "gumbel")
    scores_NP = scores_NP - at::empty_like(scores_NP).exponential_().log();  // −log of Exp(1)
  return scores_NP / config_.temperature;
}

Routes LearnedPath::route(const RouteInput& in) {
  const RouteItems items = valid_items(in);
  const at::Tensor scores_NP = scores(items.x_ND);
  const RouteDecision decision =
      in.replay_2M.defined() ? replayed(in, items, num_paths_) : choose_top_k(scores_NP, 1);
  const at::Tensor probability_NP = at::softmax(scores_NP, 1);
  Routes routes = make_routes(items, decision, (probability_NP - probability_NP.detach()) + 1);
  if (items.count() == 0) return routes;
  if (config_.aux_loss > 0)
    routes.losses.push_back(
        {"aux_loss", balance_loss(probability_NP, decision.chosen_NP) * config_.aux_loss});
  routes.stats = load_stats(routes.counts_P);
  return routes;
}

void LearnedPath::Config::describe(Schema<Config>& schema) {
  schema
      .field("estimator",
             &Config::estimator,
             "straight_through: always the best path; gumbel: drawn by its probability in training")
      .one_of({"straight_through", "gumbel"});
  schema.field("temperature", &Config::temperature, "divides the scores").above(0);
  schema.field("aux_loss", &Config::aux_loss, "factor of the balance loss over the batch").min(0);
}

}  // namespace mortise::router::learned_path

MORTISE_PLUGIN("org.mortise.router.learned_path",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::router::learned_path::LearnedPath>(
                   "learned_path", "a learned gate gives each sample one path"));
