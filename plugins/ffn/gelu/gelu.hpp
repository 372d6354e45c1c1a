// The plain feed-forward layer with GELU.
#pragma once

#include <memory>
#include <string>

#include "mortise/schema.hpp"
#include "mortise/torch/ffn.hpp"

namespace mortise::ffn::gelu {

class Gelu final : public Ffn {
 public:
  struct Config {
    int64_t hidden = 0;
    bool bias = true;
    std::string form = "exact";
    static void describe(Schema<Config>& schema);
  };

  Gelu(Config config, const FfnArgs& args);
  at::Tensor forward(const at::Tensor& x) override;

 private:
  const char* approximate_;  // ATen's name of the form
  std::shared_ptr<Linear> up_, down_;
};

}  // namespace mortise::ffn::gelu
