// Interface `router`: who goes where.  Scores items (tokens, or whole samples) against paths
// (experts, or sub-networks) and returns an assignment list sorted by path.
//
// A list, not an [N, S] table, because token choice, expert choice, dropped items and sample-level
// paths all fit it, and its borders are what a product per segment wants.  Source: the assignment
// of MegaBlocks (arXiv:2211.15841 §4) and torchtitan's token dispatcher.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mortise/host.hpp"
#include "mortise/torch/block.hpp"

namespace mortise {

/// What a router decides about.
enum class RouteGranularity { Token, Sample };

struct RouterArgs {
  BuildContext build;
  int64_t width = 0;
  int64_t num_paths = 0;                // of the path set; 0: it takes as many as the router says
  std::vector<std::string> path_names;  // of the path set; empty: its paths have numbers only
};

/// N items of width D.  An item that is not valid (padding) is neither routed nor counted.
struct RouteInput {
  at::Tensor x_ND;
  at::Tensor valid_N;     // bool; undefined: all are valid
  at::Tensor kind_N;      // int64 type of each item, for routers by rule; undefined: not known
  at::Tensor sequence_N;  // int64 document of each item, from 0; undefined: one document
  at::Tensor replay_2M;   // decisions to repeat (Routes::record); undefined: decide
};

/// M assignments of items to P paths, sorted by path, then by item.
struct Routes {
  at::Tensor item_M;             // int64 row of x_ND
  at::Tensor path_M;             // int64, ascending
  at::Tensor weight_M;           // fp32, differentiable; what the path's output is multiplied by
  std::vector<int64_t> borders;  // P + 1 places in the list: path p has [borders[p], borders[p+1])
  std::vector<NamedValue> losses;  // scaled by their own coefficients, per valid item
  std::vector<NamedValue> stats;   // detached scalars: "load_max", "entropy", "drop_rate", …
  at::Tensor counts_P;             // int64 valid items each path was given, before any drop
  at::Tensor dropped_2K;           // int64 assignments over a capacity, items above paths;
                                   // undefined: none.  They are no part of the list

  /// The decisions, for a replay: int64 [2, M + K], items above paths; a dropped assignment to path
  /// p has −1 − p.
  MORTISE_API at::Tensor record() const;
};

class MORTISE_API Router : public Module {
 public:
  using Interface = Router;
  using Args = RouterArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "router/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_BLOCK_TYPES,
                               MORTISE_TYPE(RouterArgs),
                               MORTISE_TYPE(RouteInput),
                               MORTISE_MEMBER(RouteInput, replay_2M),
                               MORTISE_TYPE(Routes),
                               MORTISE_MEMBER(Routes, dropped_2K)});
  }

  /// Scores in fp32.  Pure: state changes in after_step() only, so a replay is harmless; with
  /// replay_2M the choice is the recorded one and the weights are computed anew.   Thread:
  /// [train-thread].
  virtual Routes route(const RouteInput& in) = 0;
  virtual RouteGranularity granularity() const = 0;
  virtual int64_t num_paths() const = 0;

  /// Is told once per optimizer step how many items of the whole global batch each path got (over
  /// all micro-batches and data ranks).  Gradient mode is off.   Thread: [train-thread].
  virtual void after_step(const at::Tensor& /*counts_P*/) {}
};

/// Builds the list from unsorted assignments: sorts by path (stable, so items stay in order), sets
/// borders and counts.  Shapes: item_M, path_M (int64), weight_M (fp32).   Thread: [any-thread].
MORTISE_API Routes sorted_routes(const at::Tensor& item_M,
                                 const at::Tensor& path_M,
                                 const at::Tensor& weight_M,
                                 int64_t num_paths);

/// Load-balance statistics of a routing: largest share × P ("load_max", 1 = even), entropy of the
/// shares over ln P ("load_entropy", 1 = even), share of paths without an item ("idle_paths").
MORTISE_API std::vector<NamedValue> load_stats(const at::Tensor& counts_P);

}  // namespace mortise
