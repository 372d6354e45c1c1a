// Fused tensor operations, differentiable, each with an eager twin in mortise::ops::eager that
// tests compare with.
//
// Fewer passes over memory is the point: norm, rope and SwiGLU touch their data once forward and
// once backward, and the linear cross-entropy never holds an N×V matrix.  fp32, bf16 and fp16
// tensors on the CPU take the fused path, 16-bit ones with sums and statistics in fp32 and one
// rounding of a result; other dtypes and devices take the twin.  Deterministic: the same input
// gives the same bits at any thread count.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mortise/api.hpp"

namespace mortise::ops {

/// x · rsqrt(mean(x²) + eps), then · weight.  Shapes: x_…D, weight_D → …D.   Thread: [any-thread],
/// as all here.
MORTISE_API at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// {x + residual, rms_norm of that}: the sum is normalised as it is made, and backward adds both
/// gradients of it in one pass.  Shapes: x_…D, residual_…D, weight_D → both …D.
MORTISE_API std::pair<at::Tensor, at::Tensor> add_rms_norm(const at::Tensor& x,
                                                           const at::Tensor& residual,
                                                           const at::Tensor& weight,
                                                           double eps);

/// Rotary embedding, half-split layout (Hugging Face).  Shapes: x_BTHK, cos_PK/2, sin_PK/2 (fp32),
/// positions_BT (int64) → BTHK.
MORTISE_API at::Tensor rope(const at::Tensor& x_BTHK,
                            const at::Tensor& cos,
                            const at::Tensor& sin,
                            const at::Tensor& positions_BT);

/// silu(gate) · up.  Shapes: all equal.
MORTISE_API at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

/// x·Wᵀ + b.  Shapes: x_…I, weight_OI, bias_O or undefined → …O.
MORTISE_API at::Tensor linear(const at::Tensor& x,
                              const at::Tensor& weight_OI,
                              const at::Tensor& bias_O);

/// x·Wᵀ for several weights at once: one node of the graph, and the gradients of x are summed by
/// the products themselves.  Shapes: x_…I, each weight_OI → …O.
MORTISE_API std::vector<at::Tensor> linears(const at::Tensor& x,
                                            const std::vector<at::Tensor>& weights_OI);

/// W_down[e]·(silu(W_gate[e]·x[m]) · W_up[e]·x[m]) for the rows m of each expert e, which stand
/// together: the segments between borders (E + 1, from 0 to M; empty ones are fine).
/// Shapes: x_MD, gate_EFD, up_EFD, down_EDF → MD.
MORTISE_API at::Tensor swiglu_experts(const at::Tensor& x_MD,
                                      const at::Tensor& gate_EFD,
                                      const at::Tensor& up_EFD,
                                      const at::Tensor& down_EDF,
                                      std::span<const int64_t> borders);

/// Causal attention inside each document of packed rows, without a mask.
/// Shapes: q_BTHK, k_BTGK, v_BTGK, offsets_S (int64 borders in the flattened B·T tokens) → BTHK.  H
/// is a multiple of G.  A token sees `window` keys, its own included; 0: all of its document.
MORTISE_API at::Tensor document_attention(const at::Tensor& q_BTHK,
                                          const at::Tensor& k_BTGK,
                                          const at::Tensor& v_BTGK,
                                          const at::Tensor& offsets_S,
                                          double scale,
                                          int64_t window = 0);

struct CrossEntropyOptions {
  double label_smoothing = 0;
  double z_loss = 0;  // coefficient of logsumexp²
  int64_t chunk = 0;  // tokens a chunk; 0: chosen by vocabulary and cache
};

/// Sum over unmasked targets of the cross-entropy of softmax(hidden·Wᵀ + b), chunk by chunk;
/// gradients of hidden and weight are computed in the forward pass.  Masked rows are skipped.
/// Returns {sum, sum of z-loss} as fp32 scalars; only the first is differentiable (it includes the
/// z-loss). Shapes: hidden_ND, weight_VD, bias_V or undefined, targets_N (int64), mask_N (bool) or
/// undefined.
MORTISE_API std::pair<at::Tensor, at::Tensor> chunked_cross_entropy(
    const at::Tensor& hidden_ND,
    const at::Tensor& weight_VD,
    const at::Tensor& bias_V,
    const at::Tensor& targets_N,
    const at::Tensor& mask_N,
    const CrossEntropyOptions& options);

/// Log-probability of each target, fp32, without gradient; chunked likewise.  Shapes: → N.
MORTISE_API at::Tensor chunked_log_prob(const at::Tensor& hidden_ND,
                                        const at::Tensor& weight_VD,
                                        const at::Tensor& bias_V,
                                        const at::Tensor& targets_N);

/// Plain compositions of ATen operations with the same meaning: the test oracle, and the way of
/// other devices and dtypes.
namespace eager {
MORTISE_API std::vector<at::Tensor> linears(const at::Tensor& x,
                                            const std::vector<at::Tensor>& weights_OI);
MORTISE_API at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
MORTISE_API std::pair<at::Tensor, at::Tensor> add_rms_norm(const at::Tensor& x,
                                                           const at::Tensor& residual,
                                                           const at::Tensor& weight,
                                                           double eps);
MORTISE_API at::Tensor rope(const at::Tensor& x_BTHK,
                            const at::Tensor& cos,
                            const at::Tensor& sin,
                            const at::Tensor& positions_BT);
MORTISE_API at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);
MORTISE_API at::Tensor swiglu_experts(const at::Tensor& x_MD,
                                      const at::Tensor& gate_EFD,
                                      const at::Tensor& up_EFD,
                                      const at::Tensor& down_EDF,
                                      std::span<const int64_t> borders);
MORTISE_API at::Tensor document_attention(const at::Tensor& q_BTHK,
                                          const at::Tensor& k_BTGK,
                                          const at::Tensor& v_BTGK,
                                          const at::Tensor& offsets_S,
                                          double scale,
                                          int64_t window = 0);
MORTISE_API std::pair<at::Tensor, at::Tensor> cross_entropy(const at::Tensor& hidden_ND,
                                                            const at::Tensor& weight_VD,
                                                            const at::Tensor& bias_V,
                                                            const at::Tensor& targets_N,
                                                            const at::Tensor& mask_N,
                                                            const CrossEntropyOptions& options);
}  // namespace eager

}  // namespace mortise::ops
