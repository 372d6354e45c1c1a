// s = sigmoid(W x);  the choice is made by s + b: the groups of the highest sum of their two best,
// then the k best experts of those groups;  the weights are s of the chosen, normalised and scaled.
// After each optimizer step b_e += rate · sign(mean(n) − n_e), n the tokens of the global batch.
//
// Source: DeepSeek-V3, arXiv:2412.19437 §2.1.2, eq. 12–20, and its inference/model.py.  Experts
// outside the chosen groups get −∞ (as there, in Megatron and torchtitan), not 0, which would win
// over negative biased scores.  The bias is fp32, a buffer, and never part of the weights.
#include "sigmoid_bias.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/routing.hpp"

namespace mortise::router::sigmoid_bias {

SigmoidBias::SigmoidBias(Config config, const RouterArgs& args)
    : config_(config),
      experts_(config.experts.value_or(args.num_paths)),
      group_limit_(config.group_limit.value_or(config.groups)) {
  MORTISE_CHECK(experts_ > 0, "nobody says how many experts there are: set experts in the router");
  MORTISE_CHECK(args.num_paths == 0 || args.num_paths == experts_,
                "the router has {} experts and the path set {}",
                experts_,
                args.num_paths);
  MORTISE_CHECK(config.groups > 0 && experts_ % config.groups == 0,
                "groups must divide experts, got {} groups and {} experts",
                config.groups,
                experts_);
  MORTISE_CHECK(group_limit_ > 0 && group_limit_ <= config.groups,
                "group_limit must be between 1 and groups, got {} of {} groups",
                group_limit_,
                config.groups);
  MORTISE_CHECK(config.k > 0 && config.k <= group_limit_ * (experts_ / config.groups),
                "k must be between 1 and the {} experts of {} groups, got {}",
                group_limit_ * (experts_ / config.groups),
                group_limit_,
                config.k);
  weight_ED_ = add_parameter("weight", {experts_, args.width}, args.build, Init::normal());
  bias_E_ = at::zeros({experts_}, at::TensorOptions(args.build.device).dtype(at::kFloat));
  add_buffer("e_score_correction_bias", bias_E_, /*persistent=*/true);
}

at::Tensor SigmoidBias::in_best_groups(const at::Tensor& choice_NE) const {
  if (group_limit_ == config_.groups) return choice_NE;
  const int64_t in_group = experts_ / config_.groups;
  const at::Tensor choice_NGM = choice_NE.view({choice_NE.size(0), config_.groups, in_group});
  const at::Tensor score_NG =
      std::get<0>(at::topk(choice_NGM, std::min<int64_t>(2, in_group), -1)).sum(-1);
  const at::Tensor open_NG = choose_top_k(score_NG, group_limit_).chosen_NP;
  return choice_NGM.masked_fill(open_NG.logical_not().unsqueeze(-1), -INFINITY)
      .view(choice_NE.sizes());
}

Routes SigmoidBias::route(const RouteInput& in) {
  const RouteItems items = valid_items(in);
  const at::ScalarType type = route_dtype(in.x_ND);
  const at::Tensor scores_NE =
      at::sigmoid(at::matmul(items.x_ND.to(type), weight_ED_.to(type).t()));
  const RouteDecision decision =
      in.replay_2M.defined()
          ? replayed(in, items, experts_)
          : choose_top_k(in_best_groups(scores_NE.detach() + bias_E_), config_.k);
  at::Tensor weight_NE = scores_NE;
  if (config_.renormalise)
    weight_NE = scores_NE / ((scores_NE * decision.chosen_NP).sum(1, /*keepdim=*/true) + 1e-20);
  Routes routes = make_routes(items, decision, weight_NE * config_.scale);
  if (items.count() == 0) return routes;
  if (config_.sequence_aux_loss > 0) {
    const at::Tensor share_NE = scores_NE / (scores_NE.sum(1, /*keepdim=*/true) + 1e-20);
    routes.losses.push_back({"sequence_aux_loss",
                             sequence_balance_loss(share_NE, decision.chosen_NP, items.sequence_N) *
                                 config_.sequence_aux_loss});
  }
  routes.stats = load_stats(routes.counts_P);
  routes.stats.push_back({"router_bias_max", bias_E_.detach().abs().max()});
  return routes;
}

void SigmoidBias::after_step(const at::Tensor& counts_P) {
  if (config_.bias_rate == 0) return;
  const at::Tensor load_E = counts_P.to(bias_E_.device(), at::kDouble);
  bias_E_.add_(at::sign(load_E.mean() - load_E).to(bias_E_.scalar_type()), config_.bias_rate);
}

void SigmoidBias::Config::describe(Schema<Config>& schema) {
  schema.field("experts", &Config::experts, "experts to choose from; absent: those of the path set")
      .min(1);
  schema.field("k", &Config::k, "experts a token takes").min(1);
  schema.field("groups", &Config::groups, "equal groups of neighbouring experts").min(1);
  schema
      .field("group_limit",
             &Config::group_limit,
             "groups that a token may choose from, by the sum of their two best; absent: all")
      .min(1);
  schema.field("renormalise", &Config::renormalise, "the weights of a token sum to `scale`");
  schema.field("scale", &Config::scale, "factor on the weights").above(0);
  schema
      .field("bias_rate",
             &Config::bias_rate,
             "what an expert's bias gains or loses after each optimizer step; 0: fixed")
      .min(0);
  schema
      .field("sequence_aux_loss",
             &Config::sequence_aux_loss,
             "factor of the balance loss inside each document")
      .min(0);
  schema.rule("experts % groups == 0", "groups must divide experts");
  schema.rule("group_limit <= groups", "group_limit must not be larger than groups");
  schema.rule("k <= experts", "k must not be larger than the number of experts");
  schema.rule("k <= group_limit * experts / groups",
              "k must not be larger than the number of experts in the open groups");
}

}  // namespace mortise::router::sigmoid_bias

MORTISE_PLUGIN("org.mortise.router.sigmoid_bias",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::router::sigmoid_bias::SigmoidBias>(
                   "sigmoid_bias",
                   "DeepSeek-V3: sigmoid scores, groups, a bias that balances without a loss"));
