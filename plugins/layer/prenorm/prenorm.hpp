// The pre-normalised Transformer layer.
#pragma once

#include <memory>

#include "mortise/schema.hpp"
#include "mortise/torch/attention.hpp"
#include "mortise/torch/ffn.hpp"
#include "mortise/torch/layer.hpp"
#include "mortise/torch/norm.hpp"

namespace mortise::layer::prenorm {

class Prenorm final : public Layer {
 public:
  struct Config {
    Use<Attention> attention;
    Use<Ffn> ffn;
    Use<Norm> norm;
    static void describe(Schema<Config>& schema);
  };

  Prenorm(Config config, const LayerArgs& args);
  BlockOutput forward(const BlockInput& in) override;

 private:
  std::shared_ptr<Norm> attention_norm_, ffn_norm_;
  std::shared_ptr<Attention> attention_;
  std::shared_ptr<Ffn> ffn_;
};

}  // namespace mortise::layer::prenorm
