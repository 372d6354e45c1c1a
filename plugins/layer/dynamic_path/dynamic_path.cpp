// y_b = x_b + w_b · (path_{p(b)}(x_b) − x_b), p(b) and w_b from a router that sees one pooled
// vector a sample.  w is 1 forward; a learned gate gets its gradient through it.  Ours to define.
//
// Pooling: the first token is all that a causal model may look at, since every later token of the
// sample can know it; the mean is for models that may see the whole sample.  A row must hold one
// sample.  While generating, the layer keeps its inputs in the cache's place of this layer (as keys
// of one head) and runs the path on the whole row again: paths need no cache of their own.
#include "dynamic_path.hpp"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/routing.hpp"

namespace mortise::layer::dynamic_path {

namespace {

void refuse_packed_rows(const BlockInput& in) {
  if (!in.segments_BT.defined()) return;
  if (in.segments_BT.max().item<int64_t>() <= 1) return;
  throw Error(Code::Usage,
              "layer dynamic_path gives each row one path, and the rows hold several documents",
              "batch.packing = false");
}

/// One vector a row.  Shapes: → B×D.
at::Tensor pooled(const BlockInput& in, bool first) {
  if (first) return in.x_BTD.select(1, 0);
  if (!in.segments_BT.defined()) return in.x_BTD.mean(1);
  const at::Tensor valid_BT1 = (in.segments_BT != 0).unsqueeze(2).to(in.x_BTD.scalar_type());
  return (in.x_BTD * valid_BT1).sum(1) / valid_BT1.sum(1).clamp_min(1);
}

at::Tensor rows_of(const at::Tensor& tensor, const at::Tensor& rows) {
  return tensor.defined() ? tensor.index_select(0, rows) : tensor;
}

/// The borders of the documents of some rows, in the flattened tokens of those rows.
at::Tensor offsets_of(const at::Tensor& offsets_S, const at::Tensor& rows, int64_t tokens) {
  const at::Tensor all = offsets_S.to(at::kCPU).contiguous(), chosen = rows.to(at::kCPU);
  const int64_t* begin = all.const_data_ptr<int64_t>();
  const int64_t* end = begin + all.size(0);
  std::vector<int64_t> out;
  for (int64_t i = 0; i < chosen.size(0); ++i) {
    const int64_t first = chosen[i].item<int64_t>() * tokens;
    for (const int64_t* at = std::lower_bound(begin, end, first); at != end && *at < first + tokens;
         ++at)
      out.push_back(*at - first + i * tokens);
  }
  out.push_back(chosen.size(0) * tokens);
  return at::tensor(out, at::TensorOptions().dtype(at::kLong)).to(offsets_S.device());
}

/// The input that some rows make.
BlockInput part_of(const BlockInput& in, const at::Tensor& rows) {
  BlockInput part = in;
  part.x_BTD =
      gather_items(in.x_BTD.flatten(1), rows).view({-1, in.x_BTD.size(1), in.x_BTD.size(2)});
  part.positions_BT = rows_of(in.positions_BT, rows);
  part.segments_BT = rows_of(in.segments_BT, rows);
  part.kinds_B = rows_of(in.kinds_B, rows);
  if (in.offsets_S.defined()) part.offsets_S = offsets_of(in.offsets_S, rows, in.x_BTD.size(1));
  if (in.prefix_k_BGPK.defined() && in.prefix_k_BGPK.size(0) > 1) {
    part.prefix_k_BGPK = rows_of(in.prefix_k_BGPK, rows);
    part.prefix_v_BGPK = rows_of(in.prefix_v_BGPK, rows);
  }
  part.routes = at::Tensor();  // those are this layer's
  return part;
}

/// The whole row so far, kept in the cache, and the number of tokens before this call.
BlockInput with_history(const BlockInput& in, int64_t layer) {
  BlockInput whole = in;
  const int64_t past = in.cache->length();
  const at::Tensor x_BT1D = in.x_BTD.unsqueeze(2);
  whole.x_BTD = in.cache->append(layer, x_BT1D, in.positions_BT.reshape({x_BT1D.size(0), -1, 1, 1}))
                    .first.squeeze(2);
  whole.positions_BT = at::arange(past + in.x_BTD.size(1), in.positions_BT.options())
                           .unsqueeze(0)
                           .expand({in.x_BTD.size(0), -1});
  whole.cache = nullptr;
  return whole;
}

}  // namespace

DynamicPath::DynamicPath(Config config, const LayerArgs& args)
    : pool_(config.pool), layer_(args.build.layer_index) {
  PathSetArgs path_args;
  path_args.build = args.build;
  path_args.width = args.width;
  path_args.norm = args.norm;
  std::shared_ptr<PathSet> paths(config.paths.make(path_args));
  RouterArgs router_args;
  router_args.build = args.build;
  router_args.width = args.width;
  router_args.num_paths = paths->num_paths();
  router_args.path_names = paths->path_names();
  std::shared_ptr<Router> router(config.router.make(router_args));
  MORTISE_CHECK(router->granularity() == RouteGranularity::Sample &&
                    paths->granularity() == RouteGranularity::Sample,
                "a dynamic_path layer routes whole samples, and its {} works on tokens: use the "
                "layer \"moe\" for that",
                router->granularity() == RouteGranularity::Sample ? "path set" : "router");
  router_ = add_child("gate", std::move(router));
  paths_ = add_child("paths", std::move(paths));
}

Routes DynamicPath::route(const BlockInput& in) {
  RouteInput route_in;
  route_in.x_ND = pooled(in, pool_ == "first");
  if (in.segments_BT.defined()) route_in.valid_N = (in.segments_BT != 0).any(1);
  route_in.kind_N = in.kinds_B;
  route_in.replay_2M = in.routes;
  return router_->route(route_in);
}

BlockOutput DynamicPath::forward(const BlockInput& in) {
  refuse_packed_rows(in);
  if (in.cache == nullptr) return forward_rows(in);
  const int64_t tokens = in.x_BTD.size(1);
  BlockOutput out = forward_rows(with_history(in, layer_));
  out.x_BTD = out.x_BTD.narrow(1, out.x_BTD.size(1) - tokens, tokens);
  return out;
}

BlockOutput DynamicPath::forward_rows(const BlockInput& in) {
  Routes routes = route(in);
  BlockOutput out;
  std::vector<at::Tensor> changes;
  for (int64_t path = 0; path < paths_->num_paths(); ++path) {
    const auto p = static_cast<size_t>(path);
    const int64_t count = routes.borders[p + 1] - routes.borders[p];
    if (count == 0) continue;
    const at::Tensor rows = routes.item_M.narrow(0, routes.borders[p], count);
    const BlockInput part = part_of(in, rows);
    BlockOutput made = paths_->run_samples(path, part);
    changes.push_back((made.x_BTD - part.x_BTD).flatten(1));
    const double share = static_cast<double>(count) / static_cast<double>(routes.item_M.size(0));
    for (NamedValue& loss : made.losses) out.losses.push_back({loss.name, loss.value * share});
    std::move(made.stats.begin(), made.stats.end(), std::back_inserter(out.stats));
  }
  out.x_BTD = in.x_BTD;
  if (!changes.empty())
    out.x_BTD =
        in.x_BTD + combine_items(at::cat(changes), routes.weight_M, routes.item_M, in.x_BTD.size(0))
                       .view(in.x_BTD.sizes());
  out.routes = routes.record();
  std::move(routes.losses.begin(), routes.losses.end(), std::back_inserter(out.losses));
  std::move(routes.stats.begin(), routes.stats.end(), std::back_inserter(out.stats));
  out.counts = {{"gate", std::move(routes.counts_P)}};
  return out;
}

void DynamicPath::Config::describe(Schema<Config>& schema) {
  schema.field("router", &Config::router, "chooses a path for each sample").required();
  schema.field("paths", &Config::paths, "the sub-networks").required();
  schema
      .field("pool",
             &Config::pool,
             "what the router sees of a sample: its first token (causal), or the mean of all")
      .one_of({"first", "mean"});
  schema.needs("unpacked");  // batch.packing = false
}

}  // namespace mortise::layer::dynamic_path

MORTISE_PLUGIN("org.mortise.layer.dynamic_path",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::layer::dynamic_path::DynamicPath>(
                   "dynamic_path", "each sample takes one sub-network"));
