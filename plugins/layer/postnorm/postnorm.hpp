// The post-normalised Transformer layer, in both forms.
#pragma once

#include <memory>
#include <string>

#include "mortise/schema.hpp"
#include "mortise/torch/attention.hpp"
#include "mortise/torch/ffn.hpp"
#include "mortise/torch/layer.hpp"
#include "mortise/torch/norm.hpp"

namespace mortise::layer::postnorm {

class Postnorm final : public Layer {
 public:
  struct Config {
    Use<Attention> attention;
    Use<Ffn> ffn;
    Use<Norm> norm;
    std::string norm_of = "sum";
    static void describe(Schema<Config>& schema);
  };

  Postnorm(Config config, const LayerArgs& args);
  BlockOutput forward(const BlockInput& in) override;

 private:
  bool norm_of_sum_;
  std::shared_ptr<Attention> attention_;
  std::shared_ptr<Ffn> ffn_;
  std::shared_ptr<Norm> attention_norm_, ffn_norm_;
};

}  // namespace mortise::layer::postnorm
