// Wraps any torch::nn::Module as a mortise::Module, so that a block may be written with LibTorch's
// own layers.
//
// The one header with torch::nn in it: it costs about 20 s a source, paid only by those who include
// it.  Parameters keep their names below the bridge ("0.weight") and are shared, not copied: moves
// and loads by Mortise reach the wrapped module.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <torch/nn/module.h>  // the reason for this header

#include "mortise/torch/module.hpp"

namespace mortise {

/// Owns: shared with the caller.   Thread: construction [main-thread], use [train-thread].
template <class Inner>
class NnBridge final : public Module {
 public:
  explicit NnBridge(std::shared_ptr<Inner> inner) : inner_(std::move(inner)) {
    for (const auto& item : inner_->named_parameters())
      adopt_parameter(item.key(), item.value(), initial(item.key(), item.value()));
    for (const auto& item : inner_->named_buffers())
      add_buffer(item.key(), item.value(), /*persistent=*/true);
  }

  /// Runs the wrapped module in the mode (train or evaluate) of this one.
  template <class... Args>
  auto forward(Args&&... args) {
    if (inner_->is_training() != is_training()) inner_->train(is_training());
    return inner_->forward(std::forward<Args>(args)...);
  }

  Inner& inner() { return *inner_; }

 private:
  // LibTorch's layers have one-dimensional parameters of two kinds: scales named weight, and
  // biases.
  static Init initial(const std::string& name, const at::Tensor& tensor) {
    if (tensor.dim() >= 2) return Init::normal();
    return name.ends_with("bias") ? Init::zeros() : Init::ones();
  }

  std::shared_ptr<Inner> inner_;
};

}  // namespace mortise
