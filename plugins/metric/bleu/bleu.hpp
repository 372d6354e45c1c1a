// BLEU, equal to sacrebleu 2.6.0 to the last digit.
#pragma once

#include <optional>
#include <string>

#include "mortise/metric.hpp"
#include "mortise/schema.hpp"

#include "bleu_tokenizers.hpp"

namespace mortise::metric::bleu {

class Bleu final : public Metric {
 public:
  static constexpr int kMaxOrder = 4;

  /// Where the statistics stand in Stats: lengths, matches and totals of orders 1–4, and what
  /// `nrefs` is made of.
  enum Index : size_t {
    kSysLen = 0,
    kRefLen = 1,
    kCorrect = 2,
    kTotal = 6,
    kSamples = 10,
    kRefs = 11,
    kRefsSquared = 12,
    kSize = 13
  };

  struct Config {
    std::string tokenizer = "13a";
    std::string smooth = "exp";
    std::optional<double> smooth_value = std::nullopt;
    bool lowercase = false;
    bool effective_order = false;
    static void describe(Schema<Config>& schema);
  };

  explicit Bleu(Config config);
  Stats sample(const Sample& sample) const override;
  std::vector<Score> compute(const Stats& sum) const override;
  std::string signature() const override;
  std::string signature_of(const Stats& sum) const override;

 private:
  enum class Smooth { Exp, Floor, AddK, None };

  std::string prepared(std::string_view text) const;

  Config config_;
  Tokenizer tokenizer_;
  Smooth smooth_;
  double smooth_value_;
};

}  // namespace mortise::metric::bleu
