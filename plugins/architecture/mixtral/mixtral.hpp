// Hugging Face folders of Mixtral ↔ our model specification.
#pragma once

#include <string>
#include <vector>

#include "mortise/architecture.hpp"

namespace mortise::architecture::mixtral {

class Mixtral final : public Architecture {
 public:
  bool recognises(const Value& hf_config) const override;
  Value to_spec(const Value& hf_config) const override;
  Value to_hf(const Value& spec) const override;
  std::vector<TensorRule> names(const Value& spec) const override;

  std::vector<std::string> ignored() const override { return {"*rotary_emb.inv_freq"}; }
};

}  // namespace mortise::architecture::mixtral
