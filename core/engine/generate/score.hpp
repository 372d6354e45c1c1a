// Log-probabilities of given tokens.
#pragma once

#include <cstdint>
#include <vector>

#include "core/engine/model/language_model.hpp"

namespace mortise::core {

struct Score {
  std::vector<double> log_probs;  // of tokens 1…T−1, natural logarithm
  double sum = 0;
  double perplexity() const;
};

/// Scores of every position of one text.  Shapes: → [T, V], fp32.
/// Throws: Error when the text is empty or longer than the model's context; DataError on unknown
/// ids.
at::Tensor all_logits(LanguageModel& model, const std::vector<int32_t>& ids);

/// Shapes: logits_TV of the same ids.
Score score_of(const at::Tensor& logits_TV, const std::vector<int32_t>& ids);

}  // namespace mortise::core
