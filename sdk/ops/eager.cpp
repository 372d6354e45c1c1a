// The eager twins: plain ATen compositions, written to be obviously right.  They are the oracle of
// the fused operations' tests and what other devices and dtypes run.
#include <vector>

#include <ATen/ATen.h>

#include "mortise/torch/ops.hpp"

namespace mortise::ops::eager {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor x32 = x.to(at::kDouble == x.scalar_type() ? at::kDouble : at::kFloat);
  const at::Tensor normalized = x32 * at::rsqrt(x32.pow(2).mean(-1, /*keepdim=*/true) + eps);
  return weight * normalized.to(x.scalar_type());
}

std::pair<at::Tensor, at::Tensor> add_rms_norm(const at::Tensor& x,
                                               const at::Tensor& residual,
                                               const at::Tensor& weight,
                                               double eps) {
  const at::Tensor sum = x + residual;
  return {sum, rms_norm(sum, weight, eps)};
}

at::Tensor rope(const at::Tensor& x_BTHK,
                const at::Tensor& cos,
                const at::Tensor& sin,
                const at::Tensor& positions_BT) {
  const at::Tensor c = at::index_select(cos, 0, positions_BT.flatten())
                           .view({positions_BT.size(0), positions_BT.size(1), 1, -1})
                           .to(x_BTHK.scalar_type());
  const at::Tensor s = at::index_select(sin, 0, positions_BT.flatten())
                           .view({positions_BT.size(0), positions_BT.size(1), 1, -1})
                           .to(x_BTHK.scalar_type());
  const std::vector<at::Tensor> half = x_BTHK.chunk(2, -1);
  return at::cat({half[0] * c - half[1] * s, half[1] * c + half[0] * s}, -1);
}

std::vector<at::Tensor> linears(const at::Tensor& x, const std::vector<at::Tensor>& weights_OI) {
  std::vector<at::Tensor> out;
  for (const at::Tensor& weight : weights_OI) out.push_back(at::linear(x, weight));
  return out;
}

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) { return at::silu(gate) * up; }

at::Tensor swiglu_experts(const at::Tensor& x_MD,
                          const at::Tensor& gate_EFD,
                          const at::Tensor& up_EFD,
                          const at::Tensor& down_EDF,
                          std::span<const int64_t> borders) {
  std::vector<at::Tensor> parts;
  for (size_t e = 0; e + 1 < borders.size(); ++e) {
    const auto expert = static_cast<int64_t>(e);
    const at::Tensor x = x_MD.slice(0, borders[e], borders[e + 1]);
    const at::Tensor inner = swiglu(at::linear(x, gate_EFD[expert]), at::linear(x, up_EFD[expert]));
    parts.push_back(at::linear(inner, down_EDF[expert]));
  }
  return at::cat(parts);
}

at::Tensor document_attention(const at::Tensor& q_BTHK,
                              const at::Tensor& k_BTGK,
                              const at::Tensor& v_BTGK,
                              const at::Tensor& offsets_S,
                              double scale,
                              int64_t window) {
  const int64_t tokens = q_BTHK.size(0) * q_BTHK.size(1), repeat = q_BTHK.size(2) / k_BTGK.size(2);
  const auto flat = [&](const at::Tensor& x) {
    return x.reshape({tokens, x.size(2), x.size(3)}).transpose(0, 1);
  };
  const at::Tensor q = flat(q_BTHK), k = flat(k_BTGK).repeat_interleave(repeat, 0),
                   v = flat(v_BTGK).repeat_interleave(repeat, 0);
  const at::Tensor index = at::arange(tokens, offsets_S.options());
  const at::Tensor document =
      at::searchsorted(offsets_S, index, /*out_int32=*/false, /*right=*/true);
  const at::Tensor age = index.unsqueeze(1) - index.unsqueeze(0);
  at::Tensor visible = (document.unsqueeze(1) == document.unsqueeze(0)).logical_and(age >= 0);
  if (window > 0) visible = visible.logical_and(age < window);
  const at::Tensor scores = at::matmul(q, k.transpose(1, 2)) * scale;
  const at::Tensor probabilities =
      at::softmax(scores.masked_fill(visible.logical_not(), -INFINITY), -1);
  return at::matmul(probabilities, v).transpose(0, 1).reshape(q_BTHK.sizes());
}

std::pair<at::Tensor, at::Tensor> cross_entropy(const at::Tensor& hidden_ND,
                                                const at::Tensor& weight_VD,
                                                const at::Tensor& bias_V,
                                                const at::Tensor& targets_N,
                                                const at::Tensor& mask_N,
                                                const CrossEntropyOptions& options) {
  const at::ScalarType compute = hidden_ND.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor logits = at::linear(hidden_ND, weight_VD, bias_V).to(compute);
  const at::Tensor log_sum = at::logsumexp(logits, {-1});
  const at::Tensor picked = logits.gather(1, targets_N.unsqueeze(1)).squeeze(1);
  const double smooth = options.label_smoothing;
  at::Tensor nll = log_sum - (1 - smooth) * picked;
  if (smooth > 0) nll = nll - smooth * logits.mean(-1);
  const at::Tensor z = options.z_loss * log_sum.pow(2);
  const at::Tensor keep = mask_N.defined() ? mask_N.to(compute) : at::ones_like(nll);
  // where, not a product: a masked row may be infinite
  const auto masked_sum = [&](const at::Tensor& x) {
    return at::where(keep > 0, x, at::zeros_like(x)).sum();
  };
  return {masked_sum(nll + z), masked_sum(z).detach()};
}

}  // namespace mortise::ops::eager
