// One token out of scores: temperature, then top-k, then top-p, in the order of Hugging Face's
// processors.
#pragma once

#include <cstdint>
#include <span>

#include "mortise/api.hpp"
#include "mortise/random.hpp"

namespace mortise {

struct Sampling {
  double temperature = 0;  // 0: greedy, the others are then not used
  int64_t top_k = 0;       // 0: all
  double top_p = 1;        // (0, 1]
};

/// Throws: Error naming the value that is out of range.
MORTISE_API void check(const Sampling& sampling);

/// The best token (the first of equals), or one drawn from what temperature, top_k and top_p leave.
/// Throws: Error when a score is not a number.   Thread: [any-thread].
MORTISE_API int32_t pick(std::span<const float> logits, const Sampling& sampling, Philox& random);

}  // namespace mortise
