// Hugging Face folders of GPT-NeoX (also Pythia) ↔ our model specification.
#pragma once

#include <string>
#include <vector>

#include "mortise/architecture.hpp"

namespace mortise::architecture::gpt_neox {

class GptNeox final : public Architecture {
 public:
  bool recognises(const Value& hf_config) const override;
  Value to_spec(const Value& hf_config) const override;
  Value to_hf(const Value& spec) const override;
  std::vector<TensorRule> names(const Value& spec) const override;

  std::vector<std::string> ignored() const override {
    return {"*.attention.bias", "*.attention.masked_bias", "*rotary_emb.inv_freq"};
  }

  std::string optional_prefix() const override { return "gpt_neox."; }
};

}  // namespace mortise::architecture::gpt_neox
