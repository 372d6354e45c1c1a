// Decisions of routers as tables, and what is computed of them.
#include "mortise/torch/routing.hpp"

#include <cmath>

#include <ATen/ATen.h>

#include "mortise/error.hpp"

namespace mortise {

namespace {

/// The true places of a table, by path, then by item: row 0 items, row 1 paths.
at::Tensor pairs_of(const at::Tensor& table_NP) {
  return table_NP.t().contiguous().nonzero().t().flip(0).contiguous();
}

/// Borders of the paths in a list of so many items each.
std::vector<int64_t> borders_of(const at::Tensor& counts_P) {
  const at::Tensor counts = counts_P.to(at::kCPU).contiguous();
  std::vector<int64_t> borders = {0};
  for (int64_t p = 0; p < counts.size(0); ++p)
    borders.push_back(borders.back() + counts.const_data_ptr<int64_t>()[p]);
  return borders;
}

at::Tensor rows_of(const RouteItems& items, const at::Tensor& item) {
  return items.row_N.defined() ? items.row_N.index_select(0, item) : item;
}

}  // namespace

at::ScalarType route_dtype(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

RouteItems valid_items(const RouteInput& in) {
  RouteItems items = {in.x_ND, in.kind_N, in.sequence_N, {}, in.x_ND.size(0)};
  if (!in.valid_N.defined() || in.valid_N.all().item<bool>()) return items;
  items.row_N = in.valid_N.nonzero().squeeze(1);
  items.x_ND = in.x_ND.index_select(0, items.row_N);
  if (in.kind_N.defined()) items.kind_N = in.kind_N.index_select(0, items.row_N);
  if (in.sequence_N.defined()) items.sequence_N = in.sequence_N.index_select(0, items.row_N);
  return items;
}

RouteDecision choose_top_k(const at::Tensor& score_NP, int64_t k) {
  const at::NoGradGuard no_grad;
  const at::Tensor best_NS = std::get<1>(at::topk(score_NP, k, /*dim=*/1));
  at::Tensor chosen_NP = at::zeros(score_NP.sizes(), score_NP.options().dtype(at::kBool));
  return {chosen_NP.scatter_(1, best_NS, true), {}};
}

void limit_capacity(RouteDecision& decision,
                    const at::Tensor& score_NP,
                    int64_t capacity,
                    bool by_position) {
  const at::NoGradGuard no_grad;
  const at::Tensor& chosen_NP = decision.chosen_NP;
  if (capacity >= chosen_NP.size(0)) return;
  if (by_position) {
    decision.kept_NP = chosen_NP.logical_and(chosen_NP.cumsum(0) <= capacity);
    return;
  }
  const at::Tensor rank_NP = score_NP.masked_fill(chosen_NP.logical_not(), -INFINITY);
  const at::Tensor best_CP = std::get<1>(at::topk(rank_NP, capacity, /*dim=*/0));
  decision.kept_NP = at::zeros_like(chosen_NP).scatter_(0, best_CP, true).logical_and_(chosen_NP);
}

RouteDecision replayed(const RouteInput& in, const RouteItems& items, int64_t num_paths) {
  const at::NoGradGuard no_grad;
  const at::Tensor path = in.replay_2M[1];
  const at::Tensor is_kept = path >= 0;
  at::Tensor item = in.replay_2M[0];
  const at::Tensor true_path = at::where(is_kept, path, -1 - path);
  if (item.size(0) > 0)
    MORTISE_CHECK(item.min().item<int64_t>() >= 0 && item.max().item<int64_t>() < items.num_rows &&
                      true_path.max().item<int64_t>() < num_paths,
                  "the recorded routes are of another batch: they do not fit {} rows and {} paths",
                  items.num_rows,
                  num_paths);
  if (items.row_N.defined()) {
    const at::Tensor place = at::full({items.num_rows}, -1, item.options());
    place.index_copy_(0, items.row_N, at::arange(items.count(), item.options()));
    item = place.index_select(0, item);
    MORTISE_CHECK(item.numel() == 0 || item.min().item<int64_t>() >= 0,
                  "the recorded routes are of another batch: they route padding");
  }
  const at::Tensor flat = item * num_paths + true_path;
  const auto table = [&](const at::Tensor& value) {
    at::Tensor out =
        at::zeros({items.count() * num_paths}, at::TensorOptions(item.device()).dtype(at::kBool));
    return out.index_copy_(0, flat, value).view({items.count(), num_paths});
  };
  RouteDecision decision = {table(at::ones_like(is_kept)), {}};
  if (!is_kept.all().item<bool>()) decision.kept_NP = table(is_kept);
  return decision;
}

Routes make_routes(const RouteItems& items,
                   const RouteDecision& decision,
                   const at::Tensor& weight_NP) {
  const bool drops = decision.kept_NP.defined();
  const at::Tensor& kept_NP = drops ? decision.kept_NP : decision.chosen_NP;
  const at::Tensor pairs_2M = pairs_of(kept_NP);
  Routes routes;
  routes.path_M = pairs_2M[1];
  routes.item_M = rows_of(items, pairs_2M[0]);
  const at::Tensor flat_M = pairs_2M[0] * kept_NP.size(1) + pairs_2M[1];
  routes.weight_M = weight_NP.reshape({-1}).index_select(0, flat_M);
  routes.counts_P = decision.chosen_NP.sum(0);
  routes.borders = borders_of(drops ? kept_NP.sum(0) : routes.counts_P);
  if (drops) {
    const at::Tensor lost_2K = pairs_of(decision.chosen_NP.logical_and(kept_NP.logical_not()));
    if (lost_2K.size(1) > 0)
      routes.dropped_2K = at::stack({rows_of(items, lost_2K[0]), lost_2K[1]});
  }
  return routes;
}

at::Tensor balance_loss(const at::Tensor& probability_NP, const at::Tensor& chosen_NP) {
  const at::Tensor counts_P = chosen_NP.sum(0).to(probability_NP.scalar_type());
  const at::Tensor share_P = counts_P / counts_P.sum().clamp_min(1);
  return (share_P * probability_NP.mean(0)).sum() * probability_NP.size(1);
}

at::Tensor sequence_balance_loss(const at::Tensor& probability_NP,
                                 const at::Tensor& chosen_NP,
                                 const at::Tensor& sequence_N) {
  if (!sequence_N.defined()) return balance_loss(probability_NP, chosen_NP);
  if (sequence_N.numel() == 0) return probability_NP.sum();
  const int64_t sequences = sequence_N.max().item<int64_t>() + 1;
  const auto sum_by_sequence = [&](const at::Tensor& values_NP) {
    return at::zeros({sequences, values_NP.size(1)}, probability_NP.options())
        .index_add(0, sequence_N, values_NP.to(probability_NP.scalar_type()));
  };
  const at::Tensor counts_QP = sum_by_sequence(chosen_NP);  // Q sequences
  const at::Tensor share_QP = counts_QP / counts_QP.sum(1, /*keepdim=*/true).clamp_min(1);
  const at::Tensor length_Q = at::bincount(sequence_N, /*weights=*/{}, sequences);
  const at::Tensor mean_QP = sum_by_sequence(probability_NP) / length_Q.clamp_min(1).unsqueeze(1);
  const at::Tensor present = length_Q.count_nonzero();  // padding may leave numbers unused
  return (share_QP * mean_QP).sum() * probability_NP.size(1) / present;
}

}  // namespace mortise
