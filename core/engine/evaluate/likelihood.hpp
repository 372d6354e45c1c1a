// Log-likelihoods of documents under the model, and under the unigram model that every language
// model must beat.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/engine/data/batch.hpp"

namespace mortise::core {

/// Per document of a TokenSet.
struct Likelihoods {
  std::vector<double> sums;         // natural logarithms, over the scored tokens
  std::vector<int64_t> num_tokens;  // scored
};

/// The rows of documents that are read for their likelihoods: in order, cut where they are longer.
/// Takes labels and pairs from `tokens`: a likelihood needs neither, and they forbid to cut.
RowSet likelihood_rows(TokenSet& tokens, BatchTable batch);

/// Runs the model over all rows, `micro` at a time, without gradients; `tell` hears how many are
/// done.   Thread: [train-thread].
Likelihoods model_likelihoods(LanguageModel& model,
                              const TokenSet& tokens,
                              const RowSet& rows,
                              int64_t micro,
                              const std::function<void(int64_t)>& tell = {});

/// Token frequencies of the training data with add-one smoothing: p(t) = (count(t) + 1) / (all +
/// vocab).
class Unigram {
 public:
  Unigram(const TokenSet& train, int64_t vocab);
  Likelihoods likelihoods(const TokenSet& tokens, const RowSet& rows) const;

 private:
  std::vector<double> log_probability_;
};

}  // namespace mortise::core
