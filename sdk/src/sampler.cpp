// Sampling in fp32 scores and double sums; only survivors are exponentiated.
//
// top_k keeps every score that is not smaller than the k-th largest (so ties at the border stay);
// top_p keeps a token while the probability of all better ones together is below p, hence always
// the best one.  Equal scores are ordered by id, so the draw does not depend on how they were
// sorted.  Source: transformers' generation/logits_process.py.
#include "mortise/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "mortise/error.hpp"

namespace mortise {

namespace {

struct Candidate {
  float score = 0;
  int32_t id = 0;
};

int32_t argmax(std::span<const float> logits) {
  size_t best = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    MORTISE_CHECK(
        !std::isnan(logits[i]), "the model gave a score that is not a number, for token {}", i);
    if (logits[i] > logits[best]) best = i;
  }
  return static_cast<int32_t>(best);
}

/// The smallest score that top_k lets through.
float threshold_of(std::span<const float> logits, int64_t top_k) {
  if (top_k <= 0 || top_k >= static_cast<int64_t>(logits.size())) return -INFINITY;
  std::vector<float> sorted(logits.begin(), logits.end());
  std::nth_element(sorted.begin(), sorted.begin() + top_k - 1, sorted.end(), std::greater<>());
  return sorted[static_cast<size_t>(top_k - 1)];
}

}  // namespace

void check(const Sampling& sampling) {
  MORTISE_CHECK(std::isfinite(sampling.temperature) && sampling.temperature >= 0,
                "temperature must be at least 0, got {}",
                sampling.temperature);
  MORTISE_CHECK(sampling.top_k >= 0, "top_k must be at least 0 (0: all), got {}", sampling.top_k);
  MORTISE_CHECK(sampling.top_p > 0 && sampling.top_p <= 1,
                "top_p must be above 0 and at most 1, got {}",
                sampling.top_p);
}

int32_t pick(std::span<const float> logits, const Sampling& sampling, Philox& random) {
  const int32_t best = argmax(logits);
  if (sampling.temperature == 0) return best;
  const float highest = logits[static_cast<size_t>(best)],
              threshold = threshold_of(logits, sampling.top_k);
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < logits.size(); ++i)
    if (logits[i] >= threshold) candidates.push_back({logits[i], static_cast<int32_t>(i)});
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });

  std::vector<double> weights;
  double total = 0;
  for (const Candidate& candidate : candidates) {
    weights.push_back(
        std::exp((static_cast<double>(candidate.score) - highest) / sampling.temperature));
    total += weights.back();
  }
  size_t kept = 0;
  double mass = 0;  // of the kept ones
  while (kept < weights.size() && (kept == 0 || mass < sampling.top_p * total))
    mass += weights[kept++];

  double target = random.uniform() * mass;
  for (size_t i = 0; i + 1 < kept; ++i) {
    if (target < weights[i]) return candidates[i].id;
    target -= weights[i];
  }
  return candidates[kept - 1].id;
}

}  // namespace mortise
