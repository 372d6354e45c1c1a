// Next-token cross-entropy (see README.md for the formula).
//
// A head that is one dense weight goes to ops::chunked_cross_entropy.  Any other (quantized,
// sharded, adapted) is called for one chunk of tokens after another, without a graph; the backward
// pass computes a chunk's logits again and lets autograd run through that chunk only, so memory
// stays at one chunk of logits in both directions.
#include "causal_lm.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/ops.hpp"

namespace mortise::objective::causal_lm {

namespace {

constexpr int64_t kChunk = 512;  // tokens whose logits live at once

struct Sums {
  at::Tensor total, z;  // fp32 scalars; total includes z
};

/// Cross-entropy of logits that are already there; differentiable.
Sums of_logits(const at::Tensor& logits_NV,
               const at::Tensor& targets_N,
               const at::Tensor& mask_N,
               const ops::CrossEntropyOptions& options) {
  const at::Tensor logits =
      logits_NV.to(logits_NV.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  const at::Tensor log_sum = at::logsumexp(logits, {-1});
  at::Tensor nll =
      log_sum - (1 - options.label_smoothing) * logits.gather(1, targets_N.unsqueeze(1)).squeeze(1);
  if (options.label_smoothing > 0) nll = nll - options.label_smoothing * logits.mean(-1);
  at::Tensor z = options.z_loss * log_sum.square();
  if (mask_N.defined()) {
    nll = nll.masked_fill(mask_N.logical_not(), 0);
    z = z.masked_fill(mask_N.logical_not(), 0);
  }
  z = z.sum();
  return {nll.sum() + z, z.detach()};
}

at::Tensor part(const at::Tensor& tensor, int64_t begin, int64_t count) {
  return tensor.defined() ? tensor.narrow(0, begin, count) : tensor;
}

class ByChunks : public torch::autograd::Function<ByChunks> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const at::Tensor& hidden_ND,
                                                const at::Tensor& targets_N,
                                                const std::optional<at::Tensor>& mask,
                                                Head* head,
                                                ops::CrossEntropyOptions options) {
    const at::Tensor mask_N = mask.value_or(at::Tensor());
    context->save_for_backward({hidden_ND, targets_N, mask_N});
    context->saved_data["head"] = reinterpret_cast<int64_t>(head);
    context->saved_data["smoothing"] = options.label_smoothing;
    context->saved_data["z_loss"] = options.z_loss;
    context->saved_data["chunk"] = options.chunk;
    at::Tensor total = at::zeros({}, at::kFloat), z = at::zeros({}, at::kFloat);
    for (int64_t begin = 0; begin < hidden_ND.size(0); begin += options.chunk) {
      const int64_t count = std::min(options.chunk, hidden_ND.size(0) - begin);
      const Sums sums = of_logits(head->logits(part(hidden_ND, begin, count)),
                                  part(targets_N, begin, count),
                                  part(mask_N, begin, count),
                                  options);
      total += sums.total;
      z += sums.z;
    }
    context->mark_non_differentiable({z});
    return {total, z};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    Head* head = reinterpret_cast<Head*>(context->saved_data["head"].toInt());
    const ops::CrossEntropyOptions options{context->saved_data["smoothing"].toDouble(),
                                           context->saved_data["z_loss"].toDouble(),
                                           context->saved_data["chunk"].toInt()};
    at::Tensor grad_hidden = at::empty_like(saved[0]);
    at::AutoGradMode with_graph(true);
    for (int64_t begin = 0; begin < saved[0].size(0); begin += options.chunk) {
      const int64_t count = std::min(options.chunk, saved[0].size(0) - begin);
      const at::Tensor hidden = part(saved[0], begin, count).detach().set_requires_grad(true);
      const Sums sums = of_logits(head->logits(hidden),
                                  part(saved[1], begin, count),
                                  part(saved[2], begin, count),
                                  options);
      torch::autograd::backward(
          {sums.total}, {gradients[0]});  // adds to the gradients of the head's own parameters
      part(grad_hidden, begin, count).copy_(hidden.grad());
    }
    return {grad_hidden, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

Sums sums_of(const ObjectiveInput& in, ops::CrossEntropyOptions options) {
  if (const auto dense = in.head->dense()) {
    const auto [total, z] = ops::chunked_cross_entropy(
        in.hidden_ND, dense->weight_VD, dense->bias_V, in.targets_N, in.mask_N, options);
    return {total, z};
  }
  if (options.chunk == 0) options.chunk = kChunk;
  at::Tensor hidden = in.hidden_ND;
  // The head's parameters are reached by the backward pass only, which runs when an input wants a
  // gradient.
  if (at::GradMode::is_enabled() && !hidden.requires_grad())
    hidden = hidden.detach().set_requires_grad(true);
  const auto results =
      ByChunks::apply(hidden,
                      in.targets_N,
                      in.mask_N.defined() ? std::optional(in.mask_N) : std::nullopt,
                      in.head,
                      options);
  return {results[0], results[1]};
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
