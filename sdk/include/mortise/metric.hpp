// Interface `metric`: sufficient statistics per sample, and a pure function of their sum.
//
// That one decision gives sharded evaluation (sums add up), confidence intervals by resampling and
// per-sample dumps for free.  Source of the shape: sacrebleu, metrics/base.py.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/component.hpp"
#include "mortise/host.hpp"
#include "mortise/layout.hpp"

namespace mortise {

/// One evaluated sample.  Which members are filled depends on Metric::needs().
struct Sample {
  std::string_view prediction;              // the text to judge (Needs::Text)
  std::span<const std::string> references;  // at least one (Needs::Text)
  std::string_view text;                    // the scored text (Needs::Likelihood), UTF-8
  double log_likelihood = 0;       // natural log, summed over the scored tokens (Needs::Likelihood)
  int64_t num_tokens = 0;          // scored tokens (Needs::Likelihood)
  std::span<const double> scores;  // one a class, or one of each of a pair (Needs::Scores)
  int64_t label = 0;               // which of them is right (Needs::Scores)
};

/// Sums that describe one sample or many; the same length for every sample of one metric.
using Stats = std::vector<double>;

struct Score {
  std::string name;  // "bleu", "rouge1_f", …
  double value = 0;
};

class MORTISE_API Metric : public Component {
 public:
  using Interface = Metric;
  using Args = NoArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "metric/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_COMMON_TYPES,
                               MORTISE_TYPE(Sample),
                               MORTISE_MEMBER(Sample, references),
                               MORTISE_MEMBER(Sample, num_tokens),
                               MORTISE_MEMBER(Sample, label),
                               MORTISE_TYPE(Score)});
  }

  /// What a sample must carry: texts to compare, the model's likelihood of a text, or what the
  /// objective's SampleScores gives to its classes or to the two of a pair.
  enum class Needs { Text, Likelihood, Scores };

  /// Thread: [any-thread].
  virtual Needs needs() const { return Needs::Text; }

  /// Returns the statistics of one sample.  Pure.  Thread: [any-thread, concurrent].
  virtual Stats sample(const Sample& sample) const = 0;
  /// Returns the scores of a sum of statistics, the headline first; an empty corpus gives an
  /// all-zero sum. Pure.  Thread: [any-thread, concurrent].
  virtual std::vector<Score> compute(const Stats& sum) const = 0;
  /// Says exactly how the numbers were made: "nrefs:1|case:mixed|tok:13a|…".  Two scores compare
  /// only when these are equal. Thread: [any-thread].
  virtual std::string signature() const = 0;

  /// The signature once a corpus is known: adds what only the samples say, such as the number of
  /// references.  This is the one that stands beside a score.  Pure.  Thread: [any-thread].
  virtual std::string signature_of(const Stats& /*sum*/) const { return signature(); }
};

}  // namespace mortise
