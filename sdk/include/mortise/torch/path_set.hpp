// Interface `path_set`: the sub-networks that a router feeds: packed experts for tokens, or whole
// networks for samples.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mortise/host.hpp"
#include "mortise/torch/router.hpp"

namespace mortise {

struct PathSetArgs {
  BuildContext build;
  int64_t width = 0;
  int64_t num_paths = 0;  // what the router wants; 0: the set says
  Value norm;             // the model's norm table, for paths that normalise
};

class MORTISE_API PathSet : public Module {
 public:
  using Interface = PathSet;
  using Args = PathSetArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "path_set/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_BLOCK_TYPES, MORTISE_TYPE(PathSetArgs)});
  }

  virtual RouteGranularity granularity() const = 0;
  virtual int64_t num_paths() const = 0;

  /// Granularity Token: runs each path on its segment.  borders: P + 1 places in the M rows.
  /// Shapes: x_MD (sorted by path) → M×D.   Thread: [train-thread].
  virtual at::Tensor run_tokens(const at::Tensor& x_MD, std::span<const int64_t> borders);

  /// Granularity Sample: runs one path on the rows that were routed to it (one sample a row).
  /// Shapes: in.x_BTD → B×T×D.   Thread: [train-thread].
  virtual BlockOutput run_samples(int64_t path, const BlockInput& in);

  /// Names of the paths, for routers by rule; empty: they have numbers only.   Thread:
  /// [any-thread].
  virtual std::vector<std::string> path_names() const { return {}; }
};

}  // namespace mortise
