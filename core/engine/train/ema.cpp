// Averaging and swapping.
#include "core/engine/train/ema.hpp"

#include <ATen/ATen.h>

namespace mortise::core {

Ema::Ema(const Module& model, double decay) : decay_(decay) {
  for (const NamedTensor& parameter : model.parameters()) {
    if (!parameter.tensor.requires_grad()) continue;
    params_.push_back(parameter.tensor);
    averages_.push_back(
        parameter.tensor.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true));
  }
}

void Ema::update() {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < params_.size(); ++i)
    averages_[i].lerp_(params_[i].to(at::kFloat), 1 - decay_);
}

Ema::Swap::Swap(const Ema* ema) : ema_(ema) {
  if (ema_ == nullptr) return;
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < ema_->params_.size(); ++i) {
    at::Tensor param = ema_->params_[i];
    weights_.push_back(param.detach().clone());
    param.copy_(ema_->averages_[i]);
  }
}

Ema::Swap::~Swap() {
  if (ema_ == nullptr) return;
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < weights_.size(); ++i) {
    at::Tensor param = ema_->params_[i];
    param.copy_(weights_[i]);
  }
}

}  // namespace mortise::core
