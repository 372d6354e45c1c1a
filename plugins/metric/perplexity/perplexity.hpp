// Perplexity by token, word and byte, and bits per byte.
#pragma once

#include "mortise/metric.hpp"
#include "mortise/plugin.hpp"

namespace mortise::metric::perplexity {

class Perplexity final : public Metric {
 public:
  /// Where the statistics stand in Stats.
  enum Index : size_t { kLogLikelihood = 0, kTokens = 1, kWords = 2, kBytes = 3, kSize = 4 };

  Needs needs() const override { return Needs::Likelihood; }

  Stats sample(const Sample& sample) const override;
  std::vector<Score> compute(const Stats& sum) const override;
  std::string signature() const override;
};

}  // namespace mortise::metric::perplexity
