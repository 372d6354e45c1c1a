// Log-likelihoods of documents under the model, and under the unigram model that every language
// model must beat.
#pragma once

#include <cstdint>
#include <vector>

#include "core/engine/data/batch.hpp"

namespace mortise::core {

/// Per document of a TokenSet.
struct Likelihoods {
  std::vector<double> sums;         // natural logarithms, over the scored tokens
  std::vector<int64_t> num_tokens;  // scored
};

/// Runs the model over all rows, `micro` at a time, without gradients.   Thread: [train-thread].
Likelihoods model_likelihoods(LanguageModel& model,
                              const TokenSet& tokens,
                              const RowSet& rows,
                              int64_t micro);

/// Token frequencies of the training data with add-one smoothing: p(t) = (count(t) + 1) / (all +
/// vocab).
class Unigram {
 public:
  Unigram(const TokenSet& train, int64_t vocab);
  Likelihoods likelihoods(const TokenSet& tokens, const RowSet& rows) const;

 private:
  std::vector<double> log_probability_;
};

/// Log-probability of each target, fp32.  Shapes: hidden_ND, targets_N → N.  Any head.
at::Tensor token_log_probs(Head& head, const at::Tensor& hidden_ND, const at::Tensor& targets_N);

}  // namespace mortise::core
