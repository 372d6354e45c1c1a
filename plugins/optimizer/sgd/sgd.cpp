// SGD with momentum, Nesterov momentum and dampening, as torch.optim.SGD computes it.
//
//   g ← g + λ·w                       decay = "l2"; "decoupled" does w ← w − lr·λ·w instead
//   m ← g at the first step, then μ·m + (1 − dampening)·g
//   w ← w − lr·(g + μ·m if nesterov, else m)
//
// Sources: torch 2.11.0, optim/sgd.py; decoupled decay: Loshchilov & Hutter, arXiv:1711.05101,
// algorithm 1. Dense fp32 slots take one pass over w, g and m; others the same equations by ATen,
// in fp32, rounded once.
#include "sgd.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/parallel_for.hpp"

namespace mortise::optimizer::sgd {

namespace {

struct Rates {
  float lr, l2, keep;     // keep = 1 − lr·λ when decoupled
  float momentum, fresh;  // m ← momentum·m + fresh·g
  float from_g, from_m;   // direction = from_g·g + from_m·m
};

__attribute__((optimize("O3"))) void update(
    float* __restrict w, const float* __restrict g, float* __restrict m, int64_t count, Rates r) {
  for (int64_t i = 0; i < count; ++i) {
    const float grad = g[i] + r.l2 * w[i];
    m[i] = r.momentum * m[i] + r.fresh * grad;
    w[i] = r.keep * w[i] - r.lr * (r.from_g * grad + r.from_m * m[i]);
  }
}

__attribute__((optimize("O3"))) void update_plain(float* __restrict w,
                                                  const float* __restrict g,
                                                  int64_t count,
                                                  Rates r) {
  for (int64_t i = 0; i < count; ++i) w[i] = r.keep * w[i] - r.lr * (g[i] + r.l2 * w[i]);
}

bool is_dense_float(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
}

void step_dense(const Slot& slot, const at::Tensor& m, const Rates& rates) {
  float* w = slot.param.data_ptr<float>();
  const float* g = slot.grad.data_ptr<float>();
  float* momentum = m.defined() ? m.data_ptr<float>() : nullptr;
  parallel_for(0, slot.param.numel(), 1 << 15, [&](int64_t begin, int64_t end) {
    if (momentum == nullptr)
      update_plain(w + begin, g + begin, end - begin, rates);
    else
      update(w + begin, g + begin, momentum + begin, end - begin, rates);
  });
}

void step_plain(const Slot& slot, at::Tensor m, const Rates& r) {
  at::Tensor weight = slot.param.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  at::Tensor grad = slot.grad.to(at::kFloat).add(weight, r.l2);
  if (m.defined()) {
    m.mul_(r.momentum).add_(grad, r.fresh);
    grad = grad.mul(r.from_g).add_(m, r.from_m);
  }
  slot.param.copy_(weight.mul_(r.keep).sub_(grad, r.lr));
}

}  // namespace

Sgd::Sgd(Config config, const Slots& slots)
    : config_(std::move(config)), slots_(slots), moved_(slots.size(), 0) {
  if (config_.momentum > 0) m_ = zeros_like(slots);
}

void Sgd::step(const StepContext&) {
  const bool is_l2 = config_.decay == "l2";
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (!slot.grad.defined()) continue;
    const bool is_first = moved_[i] == 0;
    moved_[i] = 1;
    const Rates rates{.lr = static_cast<float>(slot.lr),
                      .l2 = is_l2 ? static_cast<float>(slot.weight_decay) : 0.0F,
                      .keep = is_l2 ? 1.0F : static_cast<float>(1 - slot.lr * slot.weight_decay),
                      .momentum = static_cast<float>(config_.momentum),
                      .fresh = is_first ? 1.0F : static_cast<float>(1 - config_.dampening),
                      .from_g = config_.nesterov ? 1.0F : 0.0F,
                      .from_m = config_.nesterov ? static_cast<float>(config_.momentum) : 1.0F};
    const at::Tensor m = m_.empty() ? at::Tensor() : m_[i];
    if (is_dense_float(slot.param) && is_dense_float(slot.grad))
      step_dense(slot, m, rates);
    else
      step_plain(slot, m, rates);
  }
}

void Sgd::state(StateIo& io) {
  if (!m_.empty()) io.tensors("m", m_);
  for (size_t i = 0; i < moved_.size(); ++i) io.integer(fmt::format("moved.{}", i), moved_[i]);
}

void Sgd::Config::describe(Schema<Config>& schema) {
  schema.field("momentum", &Config::momentum, "share of the last direction that is kept")
      .range(0, 1);
  schema.field("dampening", &Config::dampening, "the gradient enters the momentum less this share")
      .range(0, 1);
  schema.field("nesterov", &Config::nesterov, "look one step ahead along the momentum");
  schema
      .field("decay",
             &Config::decay,
             "l2: weight_decay is added to the gradient; decoupled: weights shrink beside it")
      .one_of({"l2", "decoupled"});
  schema.rule("not nesterov or (momentum > 0 and dampening == 0)",
              "Nesterov momentum needs momentum and no dampening");
  schema.provides("in_backward");
}

}  // namespace mortise::optimizer::sgd

MORTISE_PLUGIN("org.mortise.optimizer.sgd",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::optimizer::sgd::Sgd>(
                   "sgd", "stochastic gradient descent with momentum"));
