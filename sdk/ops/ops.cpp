// The public operations: the fused path where it applies, the eager twin elsewhere.
#include <ATen/ATen.h>

#include "mortise/torch/ops.hpp"

namespace mortise::ops {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) { return eager::rms_norm(x, weight, eps); }

at::Tensor rope(const at::Tensor& x_BTHK, const at::Tensor& cos, const at::Tensor& sin, const at::Tensor& positions_BT) {
  return eager::rope(x_BTHK, cos, sin, positions_BT);
}

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) { return eager::swiglu(gate, up); }

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight_OI, const at::Tensor& bias_O) { return at::linear(x, weight_OI, bias_O); }

at::Tensor document_attention(const at::Tensor& q_BTHK, const at::Tensor& k_BTGK, const at::Tensor& v_BTGK, const at::Tensor& offsets_S, double scale) {
  return eager::document_attention(q_BTHK, k_BTGK, v_BTGK, offsets_S, scale);
}

std::pair<at::Tensor, at::Tensor> chunked_cross_entropy(const at::Tensor& hidden_ND, const at::Tensor& weight_VD, const at::Tensor& bias_V,
                                                        const at::Tensor& targets_N, const at::Tensor& mask_N, const CrossEntropyOptions& options) {
  return eager::cross_entropy(hidden_ND, weight_VD, bias_V, targets_N, mask_N, options);
}

at::Tensor chunked_log_prob(const at::Tensor& hidden_ND, const at::Tensor& weight_VD, const at::Tensor& bias_V, const at::Tensor& targets_N) {
  at::NoGradGuard no_grad;
  const at::Tensor logits = at::linear(hidden_ND, weight_VD, bias_V).to(at::kFloat);
  return at::log_softmax(logits, -1).gather(1, targets_N.unsqueeze(1)).squeeze(1);
}

}  // namespace mortise::ops
