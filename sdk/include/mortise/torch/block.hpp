// What a block sees and returns.  Everything a unit reads goes in here and everything it says comes
// out: that is what lets recompute, prefixes, routing and packing compose.  A replay of the same
// BlockInput must give the same BlockOutput.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mortise/torch/kv_cache.hpp"
#include "mortise/torch/module.hpp"

namespace mortise {

/// Tensors that a unit reads.  B rows, T tokens a row, D model width, G kv heads, K head width, P
/// prefix tokens.
struct BlockInput {
  at::Tensor x_BTD;
  at::Tensor positions_BT;  // int64, restart at 0 in every document
  at::Tensor segments_BT;   // int32 document number inside its row, 0 = padding; undefined: one
                            // document a row, no padding
  at::Tensor offsets_S;  // int64 borders of the documents in the flattened B·T tokens, 0 first, B·T
                         // last; defined with segments
  at::Tensor prefix_k_BGPK;  // trained prefix, not rotated, seen by every document; undefined: none
  at::Tensor prefix_v_BGPK;
  at::Tensor routes;   // recorded routing decisions to replay; undefined: decide anew
  at::Tensor kinds_B;  // int64 type of each row's sample, for routers by rule; undefined: not known
  KvCache* cache = nullptr;  // generation only; positions then start at cache->length()

  /// Calls f(tensor) for each tensor in a fixed order, also for undefined ones.
  template <class F>
  void for_each_tensor(F&& f) {
    f(x_BTD);
    f(positions_BT);
    f(segments_BT);
    f(offsets_S);
    f(prefix_k_BGPK);
    f(prefix_v_BGPK);
    f(routes);
    f(kinds_B);
  }
};

/// A named scalar tensor: an auxiliary loss (already scaled) or a statistic (detached).
struct NamedValue {
  std::string name;
  at::Tensor value;
};

struct BlockOutput {
  at::Tensor x_BTD;
  std::vector<NamedValue> losses;
  std::vector<NamedValue> stats;
  at::Tensor routes;  // decisions made, for a replay; undefined: none
  /// Items per path of each router (path below the unit: "mlp.gate" → counts_P), for its
  /// after_step().
  std::vector<NamedValue> counts;
};

#define MORTISE_BLOCK_TYPES                                                                \
  MORTISE_TENSOR_TYPES, MORTISE_TYPE(::mortise::BlockInput),                               \
      MORTISE_MEMBER(::mortise::BlockInput, cache), MORTISE_TYPE(::mortise::BlockOutput),  \
      MORTISE_MEMBER(::mortise::BlockOutput, counts), MORTISE_TYPE(::mortise::NamedValue), \
      MORTISE_TYPE(::mortise::KvCache)

}  // namespace mortise
