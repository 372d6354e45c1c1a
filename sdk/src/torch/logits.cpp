// One autograd node over all chunks; its backward pass plays every chunk again.
#include "mortise/torch/logits.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace mortise {

namespace {

constexpr int64_t kChunk = 512;

/// What the backward pass needs besides tensors.
struct Held : torch::CustomClassHolder {
  Held(Head* h, LogitFunction f, int64_t c) : head(h), function(std::move(f)), chunk(c) {}

  Head* head;
  LogitFunction function;
  int64_t chunk;
};

class ByChunks : public torch::autograd::Function<ByChunks> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& hidden_ND,
                            const c10::intrusive_ptr<Held>& held) {
    context->save_for_backward({hidden_ND});
    context->saved_data["held"] = c10::IValue::make_capsule(held);
    std::vector<at::Tensor> parts;
    for (int64_t begin = 0; begin < hidden_ND.size(0); begin += held->chunk) {
      const int64_t count = std::min(held->chunk, hidden_ND.size(0) - begin);
      parts.push_back(held->function(held->head->logits(hidden_ND.narrow(0, begin, count)), begin));
    }
    return at::cat(parts);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const at::Tensor all_ND = context->get_saved_variables()[0];
    const auto capsule = context->saved_data["held"].toCapsule();
    const Held& held = static_cast<const Held&>(*capsule);
    at::Tensor grad_ND = at::empty_like(all_ND);
    at::AutoGradMode with_graph(true);
    for (int64_t begin = 0; begin < all_ND.size(0); begin += held.chunk) {
      const int64_t count = std::min(held.chunk, all_ND.size(0) - begin);
      const at::Tensor hidden = all_ND.narrow(0, begin, count).detach().set_requires_grad(true);
      const at::Tensor values = held.function(held.head->logits(hidden), begin);
      // Adds to the gradients of the head's own parameters as well.
      torch::autograd::backward({values}, {gradients[0].narrow(0, begin, count)});
      grad_ND.narrow(0, begin, count).copy_(hidden.grad());
    }
    return {grad_ND, at::Tensor()};
  }
};

}  // namespace

at::Tensor map_logits(const at::Tensor& hidden_ND,
                      Head& head,
                      const LogitFunction& function,
                      int64_t chunk) {
  if (hidden_ND.size(0) == 0) return function(head.logits(hidden_ND), 0);
  at::Tensor hidden = hidden_ND;
  // The head's parameters are reached by the backward pass only, which runs when an input wants a
  // gradient.
  if (at::GradMode::is_enabled() && !hidden.requires_grad())
    hidden = hidden.detach().set_requires_grad(true);
  return ByChunks::apply(hidden,
                         c10::make_intrusive<Held>(&head, function, chunk == 0 ? kChunk : chunk));
}

at::Tensor target_log_probs(const at::Tensor& hidden_ND,
                            Head& head,
                            const at::Tensor& targets_N,
                            int64_t chunk) {
  const auto function = [targets_N](const at::Tensor& logits_CV, int64_t begin) {
    const at::Tensor logits =
        logits_CV.to(logits_CV.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
    const at::Tensor ids = targets_N.narrow(0, begin, logits.size(0)).unsqueeze(1);
    return logits.gather(1, ids) - at::logsumexp(logits, {-1}, /*keepdim=*/true);
  };
  return map_logits(hidden_ND, head, function, chunk).squeeze(1);
}

}  // namespace mortise
