// Sub-networks for whole samples: stacks of layers, and causal convolutions.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mortise/schema.hpp"
#include "mortise/torch/layer.hpp"
#include "mortise/torch/linear.hpp"
#include "mortise/torch/norm.hpp"
#include "mortise/torch/path_set.hpp"

namespace mortise::path_set::subnets {

/// x + W_out silu(conv(norm(x))), the convolution over the last `kernel` tokens.
class ConvLayer final : public Layer {
 public:
  struct Options {
    int64_t kernel = 4;
    bool depthwise = true;
  };

  ConvLayer(Options options, std::shared_ptr<Norm> norm, const LayerArgs& args);
  BlockOutput forward(const BlockInput& in) override;

 private:
  Options options_;
  std::shared_ptr<Norm> norm_;
  std::shared_ptr<Linear> out_;
  at::Tensor weight_DIK_, bias_D_;  // I inputs of a channel, K tokens
};

class Subnets final : public PathSet {
 public:
  struct PathTable {
    std::string kind = "layers";
    int64_t repeat = 1;
    Use<Layer> layer;
    int64_t kernel = 4;
    bool depthwise = true;
    Use<Norm> norm = Use<Norm>("rms_norm");
    static void describe(Schema<PathTable>& schema);
  };

  struct Config {
    std::map<std::string, PathTable> paths;
    static void describe(Schema<Config>& schema);
  };

  Subnets(Config config, const PathSetArgs& args);
  BlockOutput run_samples(int64_t path, const BlockInput& in) override;

  RouteGranularity granularity() const override { return RouteGranularity::Sample; }

  int64_t num_paths() const override { return static_cast<int64_t>(paths_.size()); }

  std::vector<std::string> path_names() const override { return names_; }

 private:
  struct Stack final : public Module {
    void add(std::shared_ptr<Layer> layer);
    std::vector<std::shared_ptr<Layer>> layers;
  };

  std::shared_ptr<Layer> make_layer(const PathTable& table, const PathSetArgs& args) const;

  std::vector<std::string> names_;
  std::vector<std::shared_ptr<Stack>> paths_;
};

}  // namespace mortise::path_set::subnets
