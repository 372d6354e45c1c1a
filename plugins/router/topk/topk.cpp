// h = W x;  each token takes the k experts of the highest h and weighs them by a softmax, over all
// experts before the choice (Mixtral; renormalised: the same as over the chosen ones) or over the
// chosen ones after it (GShard, Shazeer).  Scores are computed in fp32.
//
// Sources: Shazeer et al., arXiv:1701.06538 §2.1 (noise, eq. 4: h + N(0,1)·softplus(W_noise x));
// Fedus et al., Switch Transformer, arXiv:2101.03961 §2.2 (jitter, capacity, eq. 4–6 balance loss);
// Zoph et al., ST-MoE, arXiv:2202.08906, eq. 5 (z-loss: mean of logsumexp²); transformers'
// modeling_mixtral.py.  Jitter is on the router's input only, as in Switch; transformers' Mixtral
// also jitters what the experts read.
#include "topk.hpp"

#include <cmath>

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/routing.hpp"

namespace mortise::router::topk {

Topk::Topk(Config config, const RouterArgs& args)
    : config_(std::move(config)), experts_(config_.experts.value_or(args.num_paths)) {
  MORTISE_CHECK(experts_ > 0, "nobody says how many experts there are: set experts in the router");
  MORTISE_CHECK(args.num_paths == 0 || args.num_paths == experts_,
                "the router has {} experts and the path set {}",
                experts_,
                args.num_paths);
  MORTISE_CHECK(config_.k > 0 && config_.k <= experts_,
                "k must be between 1 and the number of experts, got k = {} and {} experts",
                config_.k,
                experts_);
  weight_ED_ = add_parameter("weight", {experts_, args.width}, args.build, Init::normal());
  if (config_.noisy)
    noise_ED_ = add_parameter("noise_weight", {experts_, args.width}, args.build, Init::zeros());
}

at::Tensor Topk::scores(const at::Tensor& x_ND) const {
  const at::ScalarType type = route_dtype(x_ND);
  at::Tensor x = x_ND.to(type);
  if (is_training() && config_.jitter > 0)
    x = x * at::empty_like(x).uniform_(1 - config_.jitter, 1 + config_.jitter);
  at::Tensor scores_NE = at::matmul(x, weight_ED_.to(type).t());
  if (is_training() && config_.noisy)
    scores_NE =
        scores_NE + at::randn_like(scores_NE) * at::softplus(at::matmul(x, noise_ED_.to(type).t()));
  return scores_NE;
}

at::Tensor Topk::weights(const at::Tensor& scores_NE, const at::Tensor& chosen_NE) const {
  if (config_.softmax == "after")
    return at::softmax(scores_NE.masked_fill(chosen_NE.logical_not(), -INFINITY), 1);
  const at::Tensor probability_NE = at::softmax(scores_NE, 1);
  if (!config_.renormalise) return probability_NE;
  const at::Tensor sum_N1 = (probability_NE * chosen_NE).sum(1, /*keepdim=*/true);
  return probability_NE / sum_N1;
}

Routes Topk::route(const RouteInput& in) {
  const RouteItems items = valid_items(in);
  const at::Tensor scores_NE = scores(items.x_ND);
  RouteDecision decision;
  if (in.replay_2M.defined()) {
    decision = replayed(in, items, experts_);
  } else {
    decision = choose_top_k(scores_NE, config_.k);
    if (config_.capacity_factor)
      limit_capacity(
          decision,
          scores_NE,
          static_cast<int64_t>(std::ceil(static_cast<double>(items.count() * config_.k) *
                                         *config_.capacity_factor / static_cast<double>(experts_))),
          config_.drop == "position");
  }
  Routes routes = make_routes(items, decision, weights(scores_NE, decision.chosen_NP));
  if (items.count() == 0) return routes;
  const auto add_loss = [&](const char* name, double factor, const auto& loss) {
    if (factor > 0) routes.losses.push_back({name, loss() * factor});
  };
  at::Tensor probability_NE;
  if (config_.aux_loss > 0 || config_.sequence_aux_loss > 0)
    probability_NE = at::softmax(scores_NE, 1);
  add_loss("aux_loss", config_.aux_loss, [&] {
    return balance_loss(probability_NE, decision.chosen_NP);
  });
  add_loss("sequence_aux_loss", config_.sequence_aux_loss, [&] {
    return sequence_balance_loss(probability_NE, decision.chosen_NP, items.sequence_N);
  });
  add_loss(
      "router_z_loss", config_.z_loss, [&] { return at::logsumexp(scores_NE, 1).square().mean(); });
  routes.stats = load_stats(routes.counts_P);
  if (config_.capacity_factor)
    routes.stats.push_back(
        {"drop_rate",
         1 - at::scalar_tensor(routes.item_M.size(0), at::kDouble) / routes.counts_P.sum()});
  return routes;
}

void Topk::Config::describe(Schema<Config>& schema) {
  schema.field("experts", &Config::experts, "experts to choose from; absent: those of the path set")
      .min(1);
  schema.field("k", &Config::k, "experts a token takes").min(1);
  schema
      .field("softmax",
             &Config::softmax,
             "before: over all experts, then the choice; after: over the chosen ones")
      .one_of({"before", "after"});
  schema.field("renormalise",
               &Config::renormalise,
               "the weights of a token sum to 1 (with softmax = \"after\" they always do)");
  schema.field("noisy", &Config::noisy, "adds learned normal noise to the scores while training");
  schema
      .field("jitter",
             &Config::jitter,
             "multiplies the router's input by uniform(1 − jitter, 1 + jitter) while training")
      .min(0)
      .max(1);
  schema.field("aux_loss", &Config::aux_loss, "factor of the balance loss over all tokens").min(0);
  schema
      .field("sequence_aux_loss",
             &Config::sequence_aux_loss,
             "factor of the balance loss inside each document")
      .min(0);
  schema.field("z_loss", &Config::z_loss, "factor of the mean of logsumexp(scores)²").min(0);
  schema
      .field(
          "capacity_factor",
          &Config::capacity_factor,
          "an expert takes at most ⌈tokens · k / experts · factor⌉; absent: all, none is dropped")
      .above(0);
  schema
      .field("drop",
             &Config::drop,
             "over capacity, keep those of the highest score, or the first in the batch")
      .one_of({"probs", "position"});
  schema.rule("k <= experts", "k must not be larger than the number of experts");
}

}  // namespace mortise::router::topk

MORTISE_PLUGIN("org.mortise.router.topk",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::router::topk::Topk>(
                   "topk", "each token takes the k experts of its highest scores"));
