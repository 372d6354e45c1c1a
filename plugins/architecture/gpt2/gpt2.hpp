// Hugging Face folders of GPT-2 ↔ our model specification.
#pragma once

#include <string>
#include <vector>

#include "mortise/architecture.hpp"

namespace mortise::architecture::gpt2 {

class Gpt2 final : public Architecture {
 public:
  bool recognises(const Value& hf_config) const override;
  Value to_spec(const Value& hf_config) const override;
  Value to_hf(const Value& spec) const override;
  std::vector<TensorRule> names(const Value& spec) const override;

  std::vector<std::string> ignored() const override {
    return {"*.attn.bias", "*.attn.masked_bias"};
  }

  std::string optional_prefix() const override { return "transformer."; }
};

}  // namespace mortise::architecture::gpt2
