// One learned vector a token, and a position added to it where one is chosen.
#pragma once

#include <memory>

#include "mortise/schema.hpp"
#include "mortise/torch/embedding.hpp"
#include "mortise/torch/position.hpp"

namespace mortise::embedding::token {

class Token final : public Embedding {
 public:
  struct Config {
    Use<Position> position;
    static void describe(Schema<Config>& schema);
  };

  Token(const Config& config, const EmbeddingArgs& args);
  at::Tensor forward(const at::Tensor& ids_BT, const at::Tensor& positions_BT) override;

  at::Tensor weight() const override { return weight_VD_; }

 private:
  at::Tensor weight_VD_;
  std::shared_ptr<Position> position_;  // null: none
};

}  // namespace mortise::embedding::token
