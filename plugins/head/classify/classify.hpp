// A few scores for each vector.
#pragma once

#include "mortise/schema.hpp"
#include "mortise/torch/head.hpp"

namespace mortise::head::classify {

class Classify final : public Head {
 public:
  struct Config {
    int64_t labels = 2;
    bool bias = false;
    static void describe(Schema<Config>& schema);
  };

  Classify(Config config, const HeadArgs& args);
  at::Tensor logits(const at::Tensor& hidden_ND) override;
  std::optional<Dense> dense() const override;

 private:
  at::Tensor weight_LD_, bias_L_;
};

}  // namespace mortise::head::classify
