// The assignment list of routing, and what is counted about it.
#include <cmath>

#include <ATen/ATen.h>

#include "mortise/error.hpp"
#include "mortise/torch/path_set.hpp"
#include "mortise/torch/router.hpp"

namespace mortise {

at::Tensor Routes::record() const {
  const at::Tensor kept_2M = at::stack({item_M, path_M});
  if (!dropped_2K.defined()) return kept_2M;
  const at::Tensor dropped = at::stack({dropped_2K[0], -1 - dropped_2K[1]});
  return at::cat({kept_2M, dropped}, 1);
}

Routes sorted_routes(const at::Tensor& item_M,
                     const at::Tensor& path_M,
                     const at::Tensor& weight_M,
                     int64_t num_paths) {
  Routes routes;
  const at::Tensor order_M = at::argsort(path_M, /*stable=*/true, /*dim=*/0, /*descending=*/false);
  routes.item_M = item_M.index_select(0, order_M);
  routes.path_M = path_M.index_select(0, order_M);
  routes.weight_M = weight_M.index_select(0, order_M);
  routes.counts_P = at::bincount(path_M, /*weights=*/{}, /*minlength=*/num_paths);
  MORTISE_CHECK(routes.counts_P.size(0) == num_paths,
                "a path number is beyond the {} paths there are",
                num_paths);
  const at::Tensor counts_P = routes.counts_P.to(at::kCPU);
  routes.borders.assign(1, 0);
  for (int64_t p = 0; p < num_paths; ++p)
    routes.borders.push_back(routes.borders.back() + counts_P.const_data_ptr<int64_t>()[p]);
  return routes;
}

std::vector<NamedValue> load_stats(const at::Tensor& counts_P) {
  const at::NoGradGuard no_grad;
  const auto num_paths = static_cast<double>(counts_P.size(0));
  const at::Tensor share_P = counts_P.to(at::kDouble) / counts_P.sum().clamp_min(1);
  const at::Tensor entropy = -(share_P * share_P.clamp_min(1e-30).log()).sum();
  return {
      {"load_max", share_P.max() * num_paths},
      {"load_entropy", num_paths > 1 ? entropy / std::log(num_paths) : at::ones({}, at::kDouble)},
      {"idle_paths", (counts_P == 0).to(at::kDouble).mean()}};
}

at::Tensor PathSet::run_tokens(const at::Tensor&, std::span<const int64_t>) {
  MORTISE_CHECK(false, "this path set works on whole samples, not on tokens");
  return {};
}

BlockOutput PathSet::run_samples(int64_t, const BlockInput&) {
  MORTISE_CHECK(false, "this path set works on tokens, not on whole samples");
  return {};
}

}  // namespace mortise
