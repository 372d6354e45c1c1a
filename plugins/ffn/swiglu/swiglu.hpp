// The gated feed-forward layer of LLaMA.
#pragma once

#include <memory>

#include "mortise/schema.hpp"
#include "mortise/torch/ffn.hpp"

namespace mortise::ffn::swiglu {

class Swiglu final : public Ffn {
 public:
  struct Config {
    int64_t hidden = 0;
    bool bias = false;
    static void describe(Schema<Config>& schema);
  };

  Swiglu(Config config, const FfnArgs& args);
  at::Tensor forward(const at::Tensor& x) override;

 private:
  std::shared_ptr<Linear> gate_, up_, down_;
};

}  // namespace mortise::ffn::swiglu
