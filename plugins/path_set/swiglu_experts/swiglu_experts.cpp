// y_m = W_down[e] (silu(W_gate[e] x_m) · W_up[e] x_m), e the expert of row m; rows arrive sorted by
// expert, so each projection is one product per expert on its segment.  Plain projections run
// together (ops::swiglu_experts); wrapped ones (LoRA) each behind its own chain.
// Sources: Shazeer, arXiv:2002.05202, eq. 6; Gale et al., MegaBlocks, arXiv:2211.15841 §4 (why
// segments, not padded batches).
#include "swiglu_experts.hpp"

#include "mortise/plugin.hpp"
#include "mortise/torch/ops.hpp"
#include "mortise/torch/precision.hpp"

namespace mortise::path_set::swiglu_experts {

SwigluExperts::SwigluExperts(Config config, const PathSetArgs& args) {
  const int64_t experts = config.experts.value_or(args.num_paths);
  MORTISE_CHECK(experts > 0, "nobody says how many experts there are: set experts in the router");
  MORTISE_CHECK(args.num_paths == 0 || args.num_paths == experts,
                "the path set has {} experts and the router {}",
                experts,
                args.num_paths);
  const auto linear = [&](int64_t in, int64_t out, bool residual) {
    return std::make_shared<GroupedLinear>(args.build, experts, in, out, residual);
  };
  gate_ = add_child("gate_proj", linear(args.width, config.hidden, /*residual=*/false));
  up_ = add_child("up_proj", linear(args.width, config.hidden, /*residual=*/false));
  down_ = add_child("down_proj", linear(config.hidden, args.width, /*residual=*/true));
}

at::Tensor SwigluExperts::run_tokens(const at::Tensor& x_MD, std::span<const int64_t> borders) {
  const at::Tensor &gate = gate_->weight(), &up = up_->weight(), &down = down_->weight();
  const bool is_plain = gate_->is_plain() && up_->is_plain() && down_->is_plain();
  if (is_plain && gate.scalar_type() == up.scalar_type() &&
      gate.scalar_type() == down.scalar_type())
    return in_dtype_of(gate, x_MD, [&](const at::Tensor& own_MD) {
      return ops::swiglu_experts(own_MD, gate, up, down, borders);
    });
  return (*down_)(ops::swiglu((*gate_)(x_MD, borders), (*up_)(x_MD, borders)), borders);
}

void SwigluExperts::Config::describe(Schema<Config>& schema) {
  schema.field("experts", &Config::experts, "number of experts; absent: those of the router")
      .min(1);
  schema.field("hidden", &Config::hidden, "inner width of an expert").required().min(1);
}

}  // namespace mortise::path_set::swiglu_experts

MORTISE_PLUGIN("org.mortise.path_set.swiglu_experts",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::path_set::swiglu_experts::SwigluExperts>(
                   "swiglu_experts", "gated feed-forward experts, one product per expert"));
