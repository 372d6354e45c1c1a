// The linear head of a language model, tied to the embedding or not.
#pragma once

#include "mortise/schema.hpp"
#include "mortise/torch/head.hpp"

namespace mortise::head::lm {

class Lm final : public Head {
 public:
  struct Config {
    bool tied = false;
    static void describe(Schema<Config>& schema);
  };

  Lm(Config config, const HeadArgs& args);
  at::Tensor logits(const at::Tensor& hidden_ND) override;
  std::optional<Dense> dense() const override;

 private:
  at::Tensor weight_VD_;
};

}  // namespace mortise::head::lm
