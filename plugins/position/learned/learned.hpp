// Learned absolute positions, added to the embeddings.
#pragma once

#include "mortise/schema.hpp"
#include "mortise/torch/position.hpp"

namespace mortise::position::learned {

class Learned final : public Position {
 public:
  struct Config {
    int64_t max_positions = 0;
    static void describe(Schema<Config>& schema);
  };

  Learned(Config config, const PositionArgs& args);
  at::Tensor embed(const at::Tensor& x_BTD, const at::Tensor& positions_BT) override;

 private:
  at::Tensor weight_PD_;
};

}  // namespace mortise::position::learned
