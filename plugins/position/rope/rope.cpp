// RoPE: pairs (x_i, x_{i+K/2}) of a head are turned by the angle position · f_i, f_i =
// theta^(−2i/K).
//
// Half-split pairs, the layout of Hugging Face's files (the interleaved one of the original release
// needs permuted weights).  Source: Su et al., "RoFormer", arXiv:2104.09864, eq. 34; scaling:
// transformers' modeling_rope_utils.
//   linear   f / factor
//   llama3   wavelengths λ = 2π/f: λ < original/high → f;  λ > original/low → f/factor;  between:
//   linear blend with
//            s = (original/λ − low) / (high − low):  (1−s)·f/factor + s·f
// All of it in fp32 in the order of the reference: at position 10,000 one ulp of f is an angle of
// 1e-3.
#include "rope.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/ops.hpp"

namespace mortise::position::rope {

namespace {

constexpr double kPi = 3.14159265358979323846;

at::Tensor llama3(const at::Tensor& frequencies, const Scaling& scaling) {
  const double original = static_cast<double>(scaling.original_max_position);
  const double low = scaling.low_freq_factor, high = scaling.high_freq_factor;
  const at::Tensor wavelength = 2 * kPi / frequencies;
  const at::Tensor is_long = wavelength > original / low;
  const at::Tensor is_short = wavelength < original / high;
  const at::Tensor smooth = (original / wavelength - low) / (high - low);
  const at::Tensor blended = (1 - smooth) * frequencies / scaling.factor + smooth * frequencies;
  const at::Tensor scaled = at::where(is_long, frequencies / scaling.factor, frequencies);
  return at::where(is_long.logical_or(is_short), scaled, blended);
}

std::string table_key(const Config& config, int64_t head_dim) {
  const Scaling& s = config.scaling;
  return fmt::format("position/rope {} {} {} {} {} {} {}",
                     config.theta,
                     head_dim,
                     s.type,
                     s.factor,
                     s.low_freq_factor,
                     s.high_freq_factor,
                     s.original_max_position);
}

}  // namespace

at::Tensor inverse_frequencies(const Config& config, int64_t head_dim) {
  const at::Tensor exponents =
      at::arange(0, head_dim, 2, at::kLong).to(at::kFloat) / static_cast<double>(head_dim);
  const at::Tensor frequencies = 1.0 / at::pow(config.theta, exponents);
  if (config.scaling.type == "linear") return frequencies / config.scaling.factor;
  if (config.scaling.type == "llama3") return llama3(frequencies, config.scaling);
  return frequencies;
}

Table::Table(const Config& config, int64_t head_dim, int64_t num_positions)
    : config_(config), head_dim_(head_dim), wanted_(num_positions) {}

void Table::reserve(int64_t num_positions, at::Device device) {
  const bool is_defined = cos_PK_.defined();
  if (is_defined && cos_PK_.size(0) >= num_positions && cos_PK_.device() == device) return;
  wanted_ = std::max(wanted_, num_positions);
  if (is_defined && cos_PK_.size(0) < num_positions)
    wanted_ = std::max(wanted_, 2 * cos_PK_.size(0));  // token by token would be quadratic
  // Tables outlive an inference-mode call and must stay usable by autograd.
  const c10::InferenceMode off(false);
  const at::Tensor positions = at::arange(wanted_, at::kFloat).unsqueeze(1);
  const at::Tensor angles_PK = positions * inverse_frequencies(config_, head_dim_).unsqueeze(0);
  cos_PK_ = angles_PK.cos().to(device);
  sin_PK_ = angles_PK.sin().to(device);
}

Rope::Rope(Config config, const PositionArgs& args) {
  MORTISE_CHECK(args.head_dim > 0 && args.head_dim % 2 == 0,
                "rope turns pairs, so the width of a head must be even, got {}",
                args.head_dim);
  table_ = share_part<Table>(args.build, table_key(config, args.head_dim), [&] {
    return std::make_unique<Table>(config, args.head_dim, args.build.max_seq_len);
  });
}

std::pair<at::Tensor, at::Tensor> Rope::rotate(const at::Tensor& q_BTHK,
                                               const at::Tensor& k_BTGK,
                                               const at::Tensor& positions_BT) {
  if (positions_BT.numel() == 0) return {q_BTHK, k_BTGK};
  const int64_t largest = positions_BT.max().item<int64_t>();
  table_->reserve(largest + 1, q_BTHK.device());
  return {ops::rope(q_BTHK, table_->cos(), table_->sin(), positions_BT),
          ops::rope(k_BTGK, table_->cos(), table_->sin(), positions_BT)};
}

void Scaling::describe(Schema<Scaling>& schema) {
  schema.field("type", &Scaling::type, "rule of scaling").one_of({"default", "linear", "llama3"});
  schema.field("factor", &Scaling::factor, "how many times longer the context becomes").min(1);
  schema.field("low_freq_factor", &Scaling::low_freq_factor, "llama3: longer waves are divided")
      .above(0);
  schema
      .field(
          "high_freq_factor", &Scaling::high_freq_factor, "llama3: shorter waves stay as they are")
      .above(0);
  schema
      .field("original_max_position",
             &Scaling::original_max_position,
             "llama3: context of pre-training")
      .min(1)
      .unit("tokens");
}

void Config::describe(Schema<Config>& schema) {
  schema.field("theta", &Config::theta, "base of the wavelengths").above(1);
  schema.field("scaling", &Config::scaling, "longer contexts than in pre-training");
  schema.rule("scaling.low_freq_factor < scaling.high_freq_factor",
              "low_freq_factor must be smaller than high_freq_factor");
}

}  // namespace mortise::position::rope

MORTISE_PLUGIN("org.mortise.position.rope",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::position::rope::Rope>(
                   "rope", "turns pairs of query and key by the position"));
