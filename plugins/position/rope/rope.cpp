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
//   dynamic  theta · (factor·L/original − (factor − 1))^(K/(K−2)) for a text of L > original tokens
//   yarn     blend of f/factor and f by a ramp over the pairs between those that turn beta_slow and
//            beta_fast times in the original context; cos and sin times 0.1·ln(factor) + 1
//            (Peng et al., arXiv:2309.00071, §3.2–3.4)
// A fraction turns only the first int(fraction·K) components of a head (GPT-NeoX, GPT-J); K is then
// their number.
// All of it in fp32 in the order of the reference: at position 10,000 one ulp of f is an angle of
// 1e-3.
#include "rope.hpp"

#include <algorithm>
#include <cmath>

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

/// The pair that turns `rotations` times in the original context (yarn, a real number).
double pair_of(double rotations, const Config& config, int64_t head_dim) {
  const double original = static_cast<double>(config.scaling.original_max_position);
  return static_cast<double>(head_dim) * std::log(original / (rotations * 2 * kPi)) /
         (2 * std::log(config.theta));
}

at::Tensor yarn(const at::Tensor& wavelengths, const Config& config, int64_t head_dim) {
  const Scaling& scaling = config.scaling;
  double low = pair_of(scaling.beta_fast, config, head_dim),
         high = pair_of(scaling.beta_slow, config, head_dim);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(head_dim - 1));
  if (low == high) high += 0.001;
  const at::Tensor ramp = ((at::arange(head_dim / 2, at::kFloat) - low) / (high - low)).clamp(0, 1);
  const at::Tensor kept = 1 - ramp, divided = 1.0 / (scaling.factor * wavelengths);
  return divided * (1 - kept) + 1.0 / wavelengths * kept;
}

std::string table_key(const Config& config, int64_t head_dim) {
  const Scaling& s = config.scaling;
  return fmt::format("position/rope {} {} {} {} {} {} {} {} {} {} {}",
                     config.theta,
                     head_dim,
                     s.type,
                     s.factor,
                     s.low_freq_factor,
                     s.high_freq_factor,
                     s.original_max_position,
                     s.beta_fast,
                     s.beta_slow,
                     s.truncate,
                     attention_factor(s));
}

}  // namespace

double attention_factor(const Scaling& scaling) {
  if (scaling.type != "yarn") return 1;
  return scaling.attention_factor.value_or(
      scaling.factor <= 1 ? 1 : 0.1 * std::log(scaling.factor) + 1);
}

at::Tensor inverse_frequencies(const Config& config, int64_t head_dim, int64_t context) {
  const at::Tensor exponents =
      at::arange(0, head_dim, 2, at::kLong).to(at::kFloat) / static_cast<double>(head_dim);
  double theta = config.theta;
  const int64_t original = config.scaling.original_max_position;
  if (config.scaling.type == "dynamic" && context > original) {
    const double width = static_cast<double>(head_dim), factor = config.scaling.factor,
                 times = static_cast<double>(context) / static_cast<double>(original);
    theta *= std::pow(factor * times - (factor - 1), width / (width - 2));
  }
  const at::Tensor wavelengths = at::pow(theta, exponents), frequencies = 1.0 / wavelengths;
  if (config.scaling.type == "linear") return frequencies / config.scaling.factor;
  if (config.scaling.type == "llama3") return llama3(frequencies, config.scaling);
  if (config.scaling.type == "yarn") return yarn(wavelengths, config, head_dim);
  return frequencies;
}

Table::Table(const Config& config, int64_t head_dim, int64_t num_positions)
    : config_(config), head_dim_(head_dim), wanted_(num_positions) {}

void Table::reserve(int64_t num_positions, at::Device device) {
  const bool is_defined = cos_PK_.defined();
  const int64_t context = config_.scaling.type == "dynamic"
                              ? std::max(num_positions, config_.scaling.original_max_position)
                              : 0;
  if (is_defined && cos_PK_.size(0) >= num_positions && cos_PK_.device() == device &&
      context_ == context)
    return;
  context_ = context;
  wanted_ = std::max(wanted_, num_positions);
  if (is_defined && cos_PK_.size(0) < num_positions)
    wanted_ = std::max(wanted_, 2 * cos_PK_.size(0));  // token by token would be quadratic
  // Tables outlive an inference-mode call and must stay usable by autograd.
  const c10::InferenceMode off(false);
  // Beyond the original context dynamic tables last for one length only.
  const bool is_exact = context_ > config_.scaling.original_max_position;
  const at::Tensor positions =
      at::arange(is_exact ? num_positions : wanted_, at::kFloat).unsqueeze(1);
  const at::Tensor angles_PK =
      positions * inverse_frequencies(config_, head_dim_, context_).unsqueeze(0);
  const double factor = attention_factor(config_.scaling);
  cos_PK_ = angles_PK.cos().mul_(factor).to(device);
  sin_PK_ = angles_PK.sin().mul_(factor).to(device);
}

Rope::Rope(Config config, const PositionArgs& args) {
  MORTISE_CHECK(args.head_dim > 0,
                "rope turns queries and keys: give it to the attention, not to the embedding");
  turned_dim_ = static_cast<int64_t>(static_cast<double>(args.head_dim) * config.fraction);
  MORTISE_CHECK(turned_dim_ > 0 && turned_dim_ % 2 == 0,
                "rope turns pairs, so the width of a head times fraction must be even, got {} of "
                "{}",
                turned_dim_,
                args.head_dim);
  MORTISE_CHECK(config.scaling.type != "dynamic" || turned_dim_ > 2,
                "dynamic scaling of rope needs more than one pair a head");
  table_ = share_part<Table>(args.build, table_key(config, turned_dim_), [&] {
    return std::make_unique<Table>(config, turned_dim_, args.build.max_seq_len);
  });
}

std::pair<at::Tensor, at::Tensor> Rope::rotate(const at::Tensor& q_BTHK,
                                               const at::Tensor& k_BTGK,
                                               const at::Tensor& positions_BT) {
  if (positions_BT.numel() == 0) return {q_BTHK, k_BTGK};
  const int64_t largest = positions_BT.max().item<int64_t>();
  table_->reserve(largest + 1, q_BTHK.device());
  if (turned_dim_ == q_BTHK.size(3))
    return {ops::rope(q_BTHK, table_->cos(), table_->sin(), positions_BT),
            ops::rope(k_BTGK, table_->cos(), table_->sin(), positions_BT)};
  const auto turn_first = [&](const at::Tensor& x_BTHK) {
    const at::Tensor first = x_BTHK.narrow(3, 0, turned_dim_).contiguous();
    return at::cat({ops::rope(first, table_->cos(), table_->sin(), positions_BT),
                    x_BTHK.narrow(3, turned_dim_, x_BTHK.size(3) - turned_dim_)},
                   3);
  };
  return {turn_first(q_BTHK), turn_first(k_BTGK)};
}

void Scaling::describe(Schema<Scaling>& schema) {
  schema.field("type", &Scaling::type, "rule of scaling")
      .one_of({"default", "linear", "dynamic", "llama3", "yarn"});
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
             "dynamic, llama3, yarn: context of pre-training")
      .min(1)
      .unit("tokens");
  schema.field("beta_fast", &Scaling::beta_fast, "yarn: pairs that turn more often in it stay")
      .above(0);
  schema
      .field("beta_slow", &Scaling::beta_slow, "yarn: pairs that turn less often in it are divided")
      .above(0);
  schema.field("truncate", &Scaling::truncate, "yarn: the ramp begins and ends at whole pairs");
  schema
      .field("attention_factor",
             &Scaling::attention_factor,
             "yarn: scales cosine and sine; absent: 0.1 ln(factor) + 1")
      .above(0);
}

void Config::describe(Schema<Config>& schema) {
  schema.field("theta", &Config::theta, "base of the wavelengths").above(1);
  schema.field("fraction", &Config::fraction, "part of each head that is turned (GPT-NeoX)")
      .above(0)
      .max(1);
  schema.field("scaling", &Config::scaling, "longer contexts than in pre-training");
  schema.rule("scaling.low_freq_factor < scaling.high_freq_factor",
              "low_freq_factor must be smaller than high_freq_factor");
  schema.rule("scaling.beta_slow < scaling.beta_fast", "beta_slow must be smaller than beta_fast");
}

}  // namespace mortise::position::rope

MORTISE_PLUGIN("org.mortise.position.rope",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::position::rope::Rope>(
                   "rope", "turns pairs of query and key by the position"));
