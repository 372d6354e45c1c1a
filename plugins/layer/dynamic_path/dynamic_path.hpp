// The layer of dynamic routing: each sample takes one sub-network.
#pragma once

#include <memory>
#include <string>

#include "mortise/schema.hpp"
#include "mortise/torch/layer.hpp"
#include "mortise/torch/path_set.hpp"
#include "mortise/torch/router.hpp"

namespace mortise::layer::dynamic_path {

class DynamicPath final : public Layer {
 public:
  struct Config {
    Use<Router> router;
    Use<PathSet> paths;
    std::string pool = "first";
    static void describe(Schema<Config>& schema);
  };

  DynamicPath(Config config, const LayerArgs& args);
  BlockOutput forward(const BlockInput& in) override;

 private:
  BlockOutput forward_rows(const BlockInput& in);
  Routes route(const BlockInput& in);

  std::string pool_;
  int64_t layer_ = 0;
  std::shared_ptr<Router> router_;
  std::shared_ptr<PathSet> paths_;
};

}  // namespace mortise::layer::dynamic_path
