// h = x + attention(norm₁(x));  y = h + Σ_e w_e expert_e(norm₂(h)) + shared(norm₂(h)).
// Sources: Jiang et al., Mixtral, arXiv:2401.04088 §2.1; DeepSeekMoE, arXiv:2401.06066, eq. 9–11
// (shared experts: one SwiGLU of their summed width is the same as several).
//
// A token that no expert takes (dropped, or padding) keeps the residual and the shared part.
#include "moe.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/ops.hpp"
#include "mortise/torch/routing.hpp"

namespace mortise::layer::moe {

namespace {

/// An integer of the path set's table; 0 when it is not there.
int64_t path_parameter(const Moe::Config& config, const char* name) {
  const Value* value = config.paths.value().find(name);
  return value == nullptr || !value->is_int() ? 0 : value->as_int();
}

int64_t shared_width(const Moe::Config& config) {
  if (config.shared_hidden) return *config.shared_hidden;
  const int64_t hidden = path_parameter(config, "hidden");
  MORTISE_CHECK(hidden > 0,
                "the path set has no parameter `hidden`: set shared_hidden, the inner width of the "
                "shared experts");
  return config.shared * hidden;
}

/// What a router may go by, for tokens in row-major order.
RouteInput route_input(const BlockInput& in, const at::Tensor& x_ND) {
  const int64_t rows = in.x_BTD.size(0), tokens = in.x_BTD.size(1);
  const at::TensorOptions longs = at::TensorOptions(x_ND.device()).dtype(at::kLong);
  RouteInput out;
  out.x_ND = x_ND;
  if (in.segments_BT.defined()) out.valid_N = (in.segments_BT != 0).view({-1});
  if (in.kinds_B.defined()) out.kind_N = in.kinds_B.repeat_interleave(tokens);
  out.sequence_N = in.offsets_S.defined() ? at::searchsorted(in.offsets_S,
                                                             at::arange(rows * tokens, longs),
                                                             /*out_int32=*/false,
                                                             /*right=*/true) -
                                                1
                                          : at::arange(rows, longs).repeat_interleave(tokens);
  out.replay_2M = in.routes;
  return out;
}

}  // namespace

SharedExpert::SharedExpert(const BuildContext& build, int64_t width, int64_t hidden) {
  const auto linear = [&](int64_t in, int64_t out, bool residual) {
    const LinearOptions options = {.bias = false, .residual = residual};
    return std::make_shared<Linear>(build, in, out, options);
  };
  gate_ = add_child("gate_proj", linear(width, hidden, /*residual=*/false));
  up_ = add_child("up_proj", linear(width, hidden, /*residual=*/false));
  down_ = add_child("down_proj", linear(hidden, width, /*residual=*/true));
}

at::Tensor SharedExpert::forward(const at::Tensor& x) const {
  const std::vector<at::Tensor> gate_up = project(x, {gate_.get(), up_.get()});
  return (*down_)(ops::swiglu(gate_up[0], gate_up[1]));
}

void Mixture::build(std::shared_ptr<Router> router_part,
                    std::shared_ptr<PathSet> path_part,
                    std::shared_ptr<SharedExpert> shared_part) {
  router = add_child("gate", std::move(router_part));
  paths = add_child("experts", std::move(path_part));
  if (shared_part != nullptr) shared = add_child("shared_experts", std::move(shared_part));
}

Moe::Moe(Config config, const LayerArgs& args) {
  Host* host = config.attention.host();
  attention_norm_ = add_child("input_layernorm", make_norm(config.norm, args, host));
  attention_ = add_child(
      "self_attn", std::shared_ptr<Attention>(config.attention.make({args.build, args.width})));
  mixture_norm_ = add_child("post_attention_layernorm", make_norm(config.norm, args, host));
  build_mixture(config, args);
}

// The router says how many experts there are; when only the path set's table does, that counts.
void Moe::build_mixture(const Config& config, const LayerArgs& args) {
  RouterArgs router_args;
  router_args.build = args.build;
  router_args.width = args.width;
  router_args.num_paths = path_parameter(config, "experts");
  std::shared_ptr<Router> router(config.router.make(router_args));
  PathSetArgs path_args;
  path_args.build = args.build;
  path_args.width = args.width;
  path_args.num_paths = router->num_paths();
  path_args.norm = args.norm;
  std::shared_ptr<PathSet> paths(config.paths.make(path_args));
  MORTISE_CHECK(router->granularity() == RouteGranularity::Token &&
                    paths->granularity() == RouteGranularity::Token,
                "a moe layer routes tokens, and its {} works on whole samples: use the layer "
                "\"dynamic_path\" for that",
                router->granularity() == RouteGranularity::Token ? "path set" : "router");
  MORTISE_CHECK(router->num_paths() == paths->num_paths(),
                "the router has {} experts and the path set {}",
                router->num_paths(),
                paths->num_paths());
  std::shared_ptr<SharedExpert> shared;
  if (config.shared > 0)
    shared = std::make_shared<SharedExpert>(args.build, args.width, shared_width(config));
  mixture_ = add_child("mlp", std::make_shared<Mixture>());
  mixture_->build(std::move(router), std::move(paths), std::move(shared));
}

at::Tensor Moe::mix(const at::Tensor& x_ND, const Routes& routes) const {
  const at::Tensor out_MD =
      mixture_->paths->run_tokens(gather_items(x_ND, routes.item_M), routes.borders);
  const at::Tensor y_ND = combine_items(out_MD, routes.weight_M, routes.item_M, x_ND.size(0));
  return mixture_->shared == nullptr ? y_ND : y_ND + mixture_->shared->forward(x_ND);
}

BlockOutput Moe::forward(const BlockInput& in) {
  BlockInput inner = in;
  inner.x_BTD = attention_norm_->forward(in.x_BTD);
  const auto [hidden_BTD, normed_BTD] =
      add_and_norm(*mixture_norm_, in.x_BTD, attention_->forward(inner));
  const at::Tensor x_ND = normed_BTD.reshape({-1, hidden_BTD.size(2)});
  Routes routes = mixture_->router->route(route_input(in, x_ND));
  BlockOutput out;
  out.x_BTD = hidden_BTD + mix(x_ND, routes).view(hidden_BTD.sizes());
  out.routes = routes.record();
  out.losses = std::move(routes.losses);
  out.stats = std::move(routes.stats);
  out.counts = {{"mlp.gate", std::move(routes.counts_P)}};
  return out;
}

void Moe::Config::describe(Schema<Config>& schema) {
  schema.field("attention", &Config::attention, "mixes tokens").required();
  schema.field("router", &Config::router, "chooses experts for each token").required();
  schema.field("paths", &Config::paths, "the experts").required();
  schema.field("norm", &Config::norm, "before both parts; absent: the model's norm");
  schema.field("shared", &Config::shared, "experts that every token takes, beside the chosen ones")
      .min(0);
  schema
      .field("shared_hidden",
             &Config::shared_hidden,
             "inner width of the shared experts together; absent: shared × paths.hidden")
      .min(1);
  schema.rule("router.k <= paths.experts", "router.k must not be larger than paths.experts");
  schema.rule("router.experts == paths.experts", "router and paths must have as many experts");
}

}  // namespace mortise::layer::moe

MORTISE_PLUGIN("org.mortise.layer.moe",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::layer::moe::Moe>(
                   "moe", "attention, then routed and shared experts"));
