// Tools for authors of routers and of layers that route: padding taken out, decisions as a table of
// truth values, capacity, balance losses, and the way of rows to their paths and back.
//
// A decision is a dense bool [N, P] table, from which the sorted assignment list is read off.  So a
// first pass and a replay of it run the same operations in the same order and give the same bits.
// N valid items, P paths, M assignments kept.
#pragma once

#include <cstdint>

#include "mortise/torch/router.hpp"

namespace mortise {

/// The type in which routers compute: fp32, or double where the model is double.   Thread:
/// [any-thread], as all here.
MORTISE_API at::ScalarType route_dtype(const at::Tensor& x);

/// The items of a RouteInput that are no padding, moved together.
struct RouteItems {
  at::Tensor x_ND;
  at::Tensor kind_N, sequence_N;  // undefined as in the input
  at::Tensor row_N;               // int64 row of each in the input; undefined: all are valid
  int64_t num_rows = 0;           // of the input, padding included

  int64_t count() const { return x_ND.size(0); }
};

MORTISE_API RouteItems valid_items(const RouteInput& in);

/// Who was chosen, and who of them finds room.
struct RouteDecision {
  at::Tensor chosen_NP;  // bool
  at::Tensor kept_NP;    // bool, part of chosen_NP; undefined: all
};

/// The k paths of the highest score for each item.
MORTISE_API RouteDecision choose_top_k(const at::Tensor& score_NP, int64_t k);

/// Keeps at most `capacity` items a path: those of the highest score, or the first ones.
MORTISE_API void limit_capacity(RouteDecision& decision,
                                const at::Tensor& score_NP,
                                int64_t capacity,
                                bool by_position);

/// Reads in.replay_2M.  Throws: Error when it does not fit the items and paths.
MORTISE_API RouteDecision replayed(const RouteInput& in,
                                   const RouteItems& items,
                                   int64_t num_paths);

/// The assignment list of a decision, with counts.  weight_NP: of every pair; those of the kept
/// pairs are taken.
MORTISE_API Routes make_routes(const RouteItems& items,
                               const RouteDecision& decision,
                               const at::Tensor& weight_NP);

/// P · Σ_p f_p · P̄_p over all items: f the share of assignments, P̄ the mean probability (Fedus et
/// al., Switch Transformer, arXiv:2101.03961, eq. 4–6); 1 when balanced.
MORTISE_API at::Tensor balance_loss(const at::Tensor& probability_NP, const at::Tensor& chosen_NP);

/// The same inside each sequence, then the mean over sequences (DeepSeek-V3, arXiv:2412.19437, eq.
/// 17–20).  sequence_N undefined: one.
MORTISE_API at::Tensor sequence_balance_loss(const at::Tensor& probability_NP,
                                             const at::Tensor& chosen_NP,
                                             const at::Tensor& sequence_N);

/// Row m of the result is row item_M[m] of x_ND; differentiable.
MORTISE_API at::Tensor gather_items(const at::Tensor& x_ND, const at::Tensor& item_M);

/// y[n] = Σ over the assignments m of item n: weight[m] · out[m], added in the order of the list;
/// zero for items without one.  Differentiable in both.  Deterministic at any thread count.
MORTISE_API at::Tensor combine_items(const at::Tensor& out_MD,
                                     const at::Tensor& weight_M,
                                     const at::Tensor& item_M,
                                     int64_t num_items);

}  // namespace mortise
