// Experts of a mixture: SwiGLU networks with packed weights.
#pragma once

#include <memory>
#include <optional>

#include "mortise/schema.hpp"
#include "mortise/torch/grouped_linear.hpp"
#include "mortise/torch/path_set.hpp"

namespace mortise::path_set::swiglu_experts {

class SwigluExperts final : public PathSet {
 public:
  struct Config {
    std::optional<int64_t> experts = std::nullopt;
    int64_t hidden = 0;
    static void describe(Schema<Config>& schema);
  };

  SwigluExperts(Config config, const PathSetArgs& args);
  at::Tensor run_tokens(const at::Tensor& x_MD, std::span<const int64_t> borders) override;

  RouteGranularity granularity() const override { return RouteGranularity::Token; }

  int64_t num_paths() const override { return gate_->num_experts(); }

 private:
  std::shared_ptr<GroupedLinear> gate_, up_, down_;
};

}  // namespace mortise::path_set::swiglu_experts
