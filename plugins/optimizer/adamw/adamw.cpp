// AdamW (Loshchilov & Hutter, arXiv:1711.05101, algorithm 2), as torch.optim.AdamW computes it.
//
// fp32 slots go to at::_fused_adamw_, which reads and writes each of w, g, m, v once; slots with
// equal (lr, weight_decay) share one call.  Other dtypes take step_plain(): arithmetic in fp32, one
// rounding at the end.
#include "adamw.hpp"

#include <cmath>

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"

namespace mortise::optimizer::adamw {

AdamW::AdamW(Config config, const Slots& slots)
    : config_(std::move(config)), slots_(slots), m_(zeros_like(slots)), v_(zeros_like(slots)) {
  MORTISE_CHECK(
      config_.betas.size() == 2, "adamw: betas are two numbers, got {}", config_.betas.size());
  for (size_t i = 0; i < slots_.size(); ++i) steps_.push_back(at::zeros({}, at::kFloat));
}

AdamW::Group& AdamW::group_of(const Slot& slot) {
  for (Group& group : groups_) {
    if (group.params.empty()) {  // free since the last step
      group.lr = slot.lr;
      group.weight_decay = slot.weight_decay;
    }
    if (group.lr == slot.lr && group.weight_decay == slot.weight_decay) return group;
  }
  return groups_.emplace_back(Group{slot.lr, slot.weight_decay, {}, {}, {}, {}, {}});
}

void AdamW::step(const StepContext&) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (!slot.grad.defined()) continue;
    if (slot.param.scalar_type() != at::kFloat || slot.grad.scalar_type() != at::kFloat) {
      step_plain(i);
      continue;
    }
    Group& group = group_of(slot);
    group.params.push_back(slot.param);
    group.grads.push_back(slot.grad);
    group.m.push_back(m_[i]);
    group.v.push_back(v_[i]);
    group.steps.push_back(steps_[i]);
  }
  for (Group& group : groups_) {
    if (group.params.empty()) continue;
    for (at::Tensor& step : group.steps) *step.data_ptr<float>() += 1;
    at::_fused_adamw_(group.params,
                      group.grads,
                      group.m,
                      group.v,
                      /*max_exp_avg_sqs=*/{},
                      group.steps,
                      group.lr,
                      config_.betas[0],
                      config_.betas[1],
                      group.weight_decay,
                      config_.eps,
                      /*amsgrad=*/false,
                      /*maximize=*/false);
    for (auto* list : {&group.params, &group.grads, &group.m, &group.v, &group.steps})
      list->clear();
  }
}

void AdamW::step_plain(size_t index) {
  Slot& slot = slots_[index];
  const double beta1 = config_.betas[0], beta2 = config_.betas[1];
  const double step = static_cast<double>(*steps_[index].data_ptr<float>() += 1);
  const at::Tensor grad = slot.grad.to(at::kFloat);
  m_[index].lerp_(grad, 1 - beta1);
  v_[index].mul_(beta2).addcmul_(grad, grad, 1 - beta2);
  const at::Tensor denominator =
      v_[index].sqrt().div_(std::sqrt(1 - std::pow(beta2, step))).add_(config_.eps);
  at::Tensor weight = slot.param.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  weight.mul_(1 - slot.lr * slot.weight_decay)
      .addcdiv_(m_[index], denominator, -slot.lr / (1 - std::pow(beta1, step)));
  slot.param.copy_(weight);
}

void AdamW::state(StateIo& io) {
  io.tensors("m", m_);
  io.tensors("v", v_);
  io.tensors("steps", steps_);
}

void AdamW::Config::describe(Schema<Config>& schema) {
  schema.field("betas", &Config::betas, "decay of the first and the second moment").range(0, 1);
  schema.field("eps", &Config::eps, "added to the root of the second moment").above(0);
  schema.provides("in_backward");
}

}  // namespace mortise::optimizer::adamw

MORTISE_PLUGIN("org.mortise.optimizer.adamw",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::optimizer::adamw::AdamW>(
                   "adamw", "Adam with decoupled weight decay"));
