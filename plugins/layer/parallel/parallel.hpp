// The layer whose attention and feed-forward stand side by side.
#pragma once

#include <memory>

#include "mortise/schema.hpp"
#include "mortise/torch/attention.hpp"
#include "mortise/torch/ffn.hpp"
#include "mortise/torch/layer.hpp"
#include "mortise/torch/norm.hpp"

namespace mortise::layer::parallel {

class Parallel final : public Layer {
 public:
  struct Config {
    Use<Attention> attention;
    Use<Ffn> ffn;
    Use<Norm> norm;
    bool shared_norm = false;
    static void describe(Schema<Config>& schema);
  };

  Parallel(Config config, const LayerArgs& args);
  BlockOutput forward(const BlockInput& in) override;

 private:
  std::shared_ptr<Norm> attention_norm_, ffn_norm_;  // the second is null when shared
  std::shared_ptr<Attention> attention_;
  std::shared_ptr<Ffn> ffn_;
};

}  // namespace mortise::layer::parallel
