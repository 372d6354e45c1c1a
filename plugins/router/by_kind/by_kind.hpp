// Routing by rule: the kind of a sample says its path.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "mortise/schema.hpp"
#include "mortise/torch/router.hpp"

namespace mortise::router::by_kind {

class ByKind final : public Router {
 public:
  struct Config {
    std::map<std::string, std::string> map;
    std::optional<std::string> otherwise = std::nullopt;
    static void describe(Schema<Config>& schema);
  };

  ByKind(Config config, const RouterArgs& args);
  Routes route(const RouteInput& in) override;

  RouteGranularity granularity() const override { return RouteGranularity::Sample; }

  int64_t num_paths() const override { return num_paths_; }

 private:
  at::Tensor paths_of(const at::Tensor& kind_N, int64_t items) const;

  Config config_;
  int64_t num_paths_ = 0;
  std::map<int64_t, int64_t> path_of_kind_;
  std::optional<int64_t> otherwise_ = std::nullopt;
};

}  // namespace mortise::router::by_kind
