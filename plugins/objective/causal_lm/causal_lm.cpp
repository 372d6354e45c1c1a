// Next-token cross-entropy (see README.md for the formula).
//
// A head that is one dense weight goes to ops::chunked_cross_entropy.  Any other (quantized,
// sharded, adapted) is called for one chunk of tokens after another by map_logits, so memory stays
// at one chunk of logits in both directions.
#include "causal_lm.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/logits.hpp"
#include "mortise/torch/ops.hpp"

namespace mortise::objective::causal_lm {

namespace {

struct Sums {
  at::Tensor total, z;  // fp32 scalars; total includes z
};

/// Cross-entropy and z-loss of each token.  Shapes: → C2.
at::Tensor of_logits(const at::Tensor& logits_CV,
                     const at::Tensor& targets_C,
                     const ops::CrossEntropyOptions& options) {
  const at::Tensor logits =
      logits_CV.to(logits_CV.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  const at::Tensor log_sum = at::logsumexp(logits, {-1});
  at::Tensor nll =
      log_sum - (1 - options.label_smoothing) * logits.gather(1, targets_C.unsqueeze(1)).squeeze(1);
  if (options.label_smoothing > 0) nll = nll - options.label_smoothing * logits.mean(-1);
  return at::stack({nll, options.z_loss * log_sum.square()}, 1);
}

Sums sums_of(const ObjectiveInput& in, const ops::CrossEntropyOptions& options) {
  if (const auto dense = in.head->dense()) {
    const auto [total, z] = ops::chunked_cross_entropy(
        in.hidden_ND, dense->weight_VD, dense->bias_V, in.targets_N, in.mask_N, options);
    return {total, z};
  }
  const at::Tensor targets_N = in.targets_N;
  at::Tensor values_N2 = map_logits(
      in.hidden_ND,
      *in.head,
      [targets_N, options](const at::Tensor& logits_CV, int64_t begin) {
        return of_logits(logits_CV, targets_N.narrow(0, begin, logits_CV.size(0)), options);
      },
      options.chunk);
  if (in.mask_N.defined())
    values_N2 = values_N2.masked_fill(in.mask_N.logical_not().unsqueeze(1), 0);
  return {values_N2.sum(), values_N2.select(1, 1).sum().detach()};
}

}  // namespace

CausalLm::CausalLm(Config config) : config_(config) {}

ObjectiveOutput CausalLm::forward(const ObjectiveInput& in) {
  const Sums sums = sums_of(in, {config_.label_smoothing, config_.z_loss, config_.chunk});
  ObjectiveOutput out;
  out.loss = sums.total * (in.loss_scale / in.normaliser);
  out.loss_sum = sums.total.detach();
  if (config_.z_loss > 0) out.parts.push_back({"z_loss", sums.z});
  return out;
}

void CausalLm::Config::describe(Schema<Config>& schema) {
  schema
      .field("label_smoothing",
             &Config::label_smoothing,
             "share of the target's probability spread over the vocabulary")
      .range(0, 1);
  schema.field("z_loss", &Config::z_loss, "weight of logsumexp², which keeps the logits small")
      .min(0);
  schema.field("chunk", &Config::chunk, "tokens whose logits live at once; 0: chosen")
      .unit("tokens")
      .min(0);
}

}  // namespace mortise::objective::causal_lm

MORTISE_PLUGIN("org.mortise.objective.causal_lm",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::objective::causal_lm::CausalLm>(
                   "causal_lm", "next-token cross-entropy in chunks"));
