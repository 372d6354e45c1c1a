// One learned vector a token.
#pragma once

#include "mortise/schema.hpp"
#include "mortise/torch/embedding.hpp"

namespace mortise::embedding::token {

class Token final : public Embedding {
 public:
  explicit Token(const EmbeddingArgs& args);
  at::Tensor forward(const at::Tensor& ids_BT, const at::Tensor& positions_BT) override;

  at::Tensor weight() const override { return weight_VD_; }

 private:
  at::Tensor weight_VD_;
};

}  // namespace mortise::embedding::token
