// ROUGE-1, -2, -L and -Lsum, equal to rouge-score 0.1.2 to the last digit.
#pragma once

#include <string>

#include "mortise/metric.hpp"
#include "mortise/schema.hpp"

#include "rouge_tokenizers.hpp"

namespace mortise::metric::rouge {

class Rouge final : public Metric {
 public:
  /// Statistics: precision, recall and F of rouge1, rouge2, rougeL, rougeLsum in this order, then
  /// samples and what `nrefs` is made of.
  enum Index : size_t { kSamples = 12, kRefs = 13, kRefsSquared = 14, kSize = 15 };

  struct Config {
    std::string tokenizer = "rouge_score";
    bool use_stemmer = false;
    static void describe(Schema<Config>& schema);
  };

  explicit Rouge(Config config);
  Stats sample(const Sample& sample) const override;
  std::vector<Score> compute(const Stats& sum) const override;
  std::string signature() const override;
  std::string signature_of(const Stats& sum) const override;

 private:
  Config config_;
  Tokenizer tokenizer_;
};

}  // namespace mortise::metric::rouge
