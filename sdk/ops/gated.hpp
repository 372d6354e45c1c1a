// silu(gate) · up on contiguous tensors of one fusable dtype, without a node of the graph: what
// swiglu and swiglu_experts are made of.
#pragma once

#include <utility>

#include <ATen/core/Tensor.h>

namespace mortise::ops {

at::Tensor gated(const at::Tensor& gate, const at::Tensor& up);

/// Gradients of gate and up; the sigmoid is computed again.
std::pair<at::Tensor, at::Tensor> gated_backward(const at::Tensor& grad,
                                                 const at::Tensor& gate,
                                                 const at::Tensor& up);

}  // namespace mortise::ops
