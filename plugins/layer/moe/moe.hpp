// The layer of a mixture of experts: attention, then experts that a router chooses, and shared
// ones.
#pragma once

#include <memory>
#include <optional>

#include "mortise/schema.hpp"
#include "mortise/torch/attention.hpp"
#include "mortise/torch/layer.hpp"
#include "mortise/torch/linear.hpp"
#include "mortise/torch/norm.hpp"
#include "mortise/torch/path_set.hpp"
#include "mortise/torch/router.hpp"

namespace mortise::layer::moe {

/// The expert that every token takes: one SwiGLU.
class SharedExpert final : public Module {
 public:
  SharedExpert(const BuildContext& build, int64_t width, int64_t hidden);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  std::shared_ptr<Linear> gate_, up_, down_;
};

/// What stands where a dense layer has its feed-forward part: "mlp".
struct Mixture final : public Module {
  void build(std::shared_ptr<Router> router_part,
             std::shared_ptr<PathSet> path_part,
             std::shared_ptr<SharedExpert> shared_part);
  std::shared_ptr<Router> router;
  std::shared_ptr<PathSet> paths;
  std::shared_ptr<SharedExpert> shared;  // null: none
};

class Moe final : public Layer {
 public:
  struct Config {
    Use<Attention> attention;
    Use<Router> router;
    Use<PathSet> paths;
    Use<Norm> norm;
    int64_t shared = 0;
    std::optional<int64_t> shared_hidden = std::nullopt;
    static void describe(Schema<Config>& schema);
  };

  Moe(Config config, const LayerArgs& args);
  BlockOutput forward(const BlockInput& in) override;

 private:
  void build_mixture(const Config& config, const LayerArgs& args);
  at::Tensor mix(const at::Tensor& x_ND, const Routes& routes) const;

  std::shared_ptr<Norm> attention_norm_, mixture_norm_;
  std::shared_ptr<Attention> attention_;
  std::shared_ptr<Mixture> mixture_;
};

}  // namespace mortise::layer::moe
