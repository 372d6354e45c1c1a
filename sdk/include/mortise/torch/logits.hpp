// Losses over logits that are never all there at once.
//
// An objective that needs more than the fused cross-entropy (a divergence between two models, a
// log-probability with a gradient) describes what it wants of one chunk's logits; this header runs
// that chunk by chunk.  Only one chunk of logits lives at any moment, in both directions: the
// backward pass computes a chunk's logits again and runs autograd through that chunk alone, so any
// head works (dense, quantized, adapted).
#pragma once

#include <cstdint>
#include <functional>

#include "mortise/torch/head.hpp"

namespace mortise {

/// K numbers for each token of a chunk: logits_CV, of the tokens begin … begin + C − 1 → float [C,
/// K].  A pure function of differentiable operations, called again in the backward pass.
using LogitFunction = std::function<at::Tensor(const at::Tensor& logits_CV, int64_t begin)>;

/// Applies `function` to all tokens.  Shapes: hidden_ND → NK.  Gradients reach hidden and the
/// parameters of the head.  chunk: tokens whose logits live at once; 0: chosen.
/// Lifetime: head and what `function` refers to outlive the backward pass.   Thread:
/// [train-thread].
MORTISE_API at::Tensor map_logits(const at::Tensor& hidden_ND,
                                  Head& head,
                                  const LogitFunction& function,
                                  int64_t chunk = 0);

/// Log-probability of each target, differentiable.  Shapes: hidden_ND, targets_N (int64) → N, in
/// float (double when hidden is).   Thread: [train-thread].
MORTISE_API at::Tensor target_log_probs(const at::Tensor& hidden_ND,
                                        Head& head,
                                        const at::Tensor& targets_N,
                                        int64_t chunk = 0);

}  // namespace mortise
