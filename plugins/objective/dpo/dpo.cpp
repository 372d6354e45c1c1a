// Sums of log-probabilities under two models, and a loss on their difference (see README.md).
// Masked tokens are left out before the head is called, so prompts cost no logits.
#include "dpo.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/logits.hpp"
#include "mortise/torch/samples.hpp"

namespace mortise::objective::dpo {

Dpo::Dpo(Config config) : config_(std::move(config)) {}

// log π(y|x) − log π_ref(y|x) of each answer.
at::Tensor Dpo::gains(const ObjectiveInput& in) const {
  const ReferenceHidden& reference = find_reference(in, config_.reference);
  const at::Tensor tokens_M = unmasked_tokens(in);
  const at::Tensor targets_M = in.targets_N.index_select(0, tokens_M);
  const auto log_probs_S = [&](const at::Tensor& hidden_ND, Head& head) {
    return sum_samples(
        in,
        tokens_M,
        target_log_probs(hidden_ND.index_select(0, tokens_M), head, targets_M, config_.chunk));
  };
  const at::Tensor ours_S = log_probs_S(in.hidden_ND, *in.head);
  at::Tensor theirs_S;
  {
    const at::NoGradGuard no_grad;
    theirs_S = log_probs_S(reference.hidden_ND, *reference.head);
  }
  return ours_S - theirs_S;
}

at::Tensor Dpo::sample_scores(const ObjectiveInput& in) {
  return (config_.beta * gains(in)).unsqueeze(1);
}

ObjectiveOutput Dpo::forward(const ObjectiveInput& in) {
  const auto [chosen_P, rejected_P] = pair_samples(in);
  const at::Tensor gain_S = gains(in);
  const at::Tensor better_P = gain_S.index_select(0, chosen_P),
                   worse_P = gain_S.index_select(0, rejected_P), margin_P = better_P - worse_P;
  const double smoothing = config_.label_smoothing;
  const at::Tensor loss_P = config_.loss == "ipo"
                                ? (margin_P - 1 / (2 * config_.beta)).square()
                                : -(1 - smoothing) * at::log_sigmoid(config_.beta * margin_P) -
                                      smoothing * at::log_sigmoid(-config_.beta * margin_P);
  const at::Tensor sum = loss_P.sum();
  ObjectiveOutput out;
  out.loss = sum * (in.loss_scale / in.normaliser);
  out.loss_sum = sum.detach();
  out.parts = {{"accuracy", margin_P.detach().gt(0).sum().to(at::kDouble)},
               {"reward_margin", config_.beta * margin_P.detach().sum()},
               {"reward_chosen", config_.beta * better_P.detach().sum()},
               {"reward_rejected", config_.beta * worse_P.detach().sum()}};
  return out;
}

void Dpo::Config::describe(Schema<Config>& schema) {
  schema
      .field("beta",
             &Config::beta,
             "how dear it is to leave the reference; ipo aims at a margin of 1/(2 beta)")
      .above(0);
  schema.field("loss", &Config::loss, "of the margin").one_of({"sigmoid", "ipo"});
  schema
      .field("label_smoothing",
             &Config::label_smoothing,
             "share of pairs that are thought to be the wrong way round (sigmoid only)")
      .range(0, 0.5);
  schema.field("reference",
               &Config::reference,
               "NAME of the [reference.NAME] to measure against; empty: the only one");
  schema.field("chunk", &Config::chunk, "tokens whose logits live at once; 0: chosen")
      .unit("tokens")
      .min(0);
  schema.rule("loss == 'sigmoid' or label_smoothing == 0", "label_smoothing belongs to sigmoid");
  schema.provides("sample_scores");
}

}  // namespace mortise::objective::dpo

MORTISE_PLUGIN("org.mortise.objective.dpo",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::objective::dpo::Dpo>(
                   "dpo", "direct preference optimisation against a frozen reference"));
