// The share of predictions that equal a reference.
#pragma once

#include "mortise/metric.hpp"
#include "mortise/schema.hpp"

namespace mortise::metric::exact_match {

class ExactMatch final : public Metric {
 public:
  struct Config {
    bool ignore_case = false;
    bool strip = true;
    static void describe(Schema<Config>& schema);
  };

  explicit ExactMatch(Config config);
  Stats sample(const Sample& sample) const override;
  std::vector<Score> compute(const Stats& sum) const override;
  std::string signature() const override;

 private:
  std::string normalized(std::string_view text) const;

  Config config_;
};

}  // namespace mortise::metric::exact_match
