// Bradley–Terry on one number a sample (see README.md for the formula).
#include "reward_pair.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/samples.hpp"

namespace mortise::objective::reward_pair {

RewardPair::RewardPair(Config config) : config_(std::move(config)) {}

at::Tensor RewardPair::sample_scores(const ObjectiveInput& in) {
  const at::Tensor scores =
      in.head->logits(pool_samples(in, config_.pooling == "mean" ? Pooling::Mean : Pooling::Last));
  if (scores.size(1) != 1)
    throw Error(Code::Usage,
                fmt::format("a reward is one number, and the head has {} outputs", scores.size(1)),
                "model.head = { type = \"classify\", labels = 1 }");
  return scores.to(scores.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
}

ObjectiveOutput RewardPair::forward(const ObjectiveInput& in) {
  const auto [chosen_P, rejected_P] = pair_samples(in);
  const at::Tensor rewards_S = sample_scores(in).squeeze(1);
  const at::Tensor better_P = rewards_S.index_select(0, chosen_P),
                   worse_P = rewards_S.index_select(0, rejected_P), margin_P = better_P - worse_P;
  at::Tensor loss_P = -at::log_sigmoid(margin_P - config_.margin);
  if (config_.centre > 0) loss_P = loss_P + config_.centre * (better_P + worse_P).square();
  const at::Tensor sum = loss_P.sum();
  ObjectiveOutput out;
  out.loss = sum * (in.loss_scale / in.normaliser);
  out.loss_sum = sum.detach();
  out.parts = {{"accuracy", margin_P.detach().gt(0).sum().to(at::kDouble)},
               {"reward_margin", margin_P.detach().sum()}};
  return out;
}

void RewardPair::Config::describe(Schema<Config>& schema) {
  schema.field("pooling", &Config::pooling, "what stands for an answer: its last token or the mean")
      .one_of({"last", "mean"});
  schema.field("margin", &Config::margin, "by how much the chosen answer shall be ahead").min(0);
  schema.field("centre", &Config::centre, "weight of (sum of both rewards)², which holds them at 0")
      .min(0);
  schema.provides("sample_scores");
}

}  // namespace mortise::objective::reward_pair

MORTISE_PLUGIN("org.mortise.objective.reward_pair",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::objective::reward_pair::RewardPair>(
                   "reward_pair", "a reward model from pairs of answers (Bradley–Terry)"));
