// y = W·x + s·B·(A·dropout(x)); with DoRA each row is then scaled to its magnitude:
// y = m/‖W + s·B·A‖ · (W·x + s·B·A·dropout(x)), biases apart.  W + s·B·A is never built in a
// forward.
//
// Sources: Hu et al., "LoRA", arXiv:2106.09685 §4.1; Liu et al., "DoRA", arXiv:2402.09353 eq. 5 and
// §4.3 (the norm is a constant in the backward pass).  One departure from peft 0.21: with dropout,
// peft's DoRA puts the dropped input through the base weights as well; here only the low-rank
// branch sees it, as in LoRA.
#include "lora_op.hpp"

#include <cmath>

#include <ATen/ATen.h>

#include "mortise/error.hpp"
#include "mortise/torch/precision.hpp"

namespace mortise::adapter::lora {

namespace {

Init a_init(const Options& options, int64_t in_features) {
  // kaiming_uniform(a = √5) is uniform within 1/√inputs
  return options.gaussian ? Init::normal_with(1 / static_cast<double>(options.rank))
                          : Init::uniform(1 / std::sqrt(static_cast<double>(in_features)));
}

at::Tensor dropped(const at::Tensor& x, double probability, bool is_training) {
  return is_training && probability > 0 ? at::dropout(x, probability, /*train=*/true) : x;
}

/// Gives a tensor of a single projection the dimension of experts.
at::Tensor with_experts(const at::Tensor& tensor, int64_t dims) {
  return tensor.dim() == dims ? tensor : tensor.unsqueeze(0);
}

at::Tensor squared_rows(const at::Tensor& weight_EOI) {
  return at::linalg_vector_norm(weight_EOI, 2, {-1}, /*keepdim=*/false, at::kFloat).square();
}

}  // namespace

at::Tensor row_norms(const at::Tensor& weight_EOI,
                     const at::Tensor& square_EO,
                     const at::Tensor& a_ERI,
                     const at::Tensor& b_EOR,
                     double scaling) {
  const at::Tensor wa_EOR =
      at::matmul(weight_EOI.to(a_ERI.scalar_type()), a_ERI.transpose(1, 2)).to(at::kFloat);
  const at::Tensor a = a_ERI.to(at::kFloat), b = b_EOR.to(at::kFloat);
  const at::Tensor aa_ERR = at::matmul(a, a.transpose(1, 2));
  const at::Tensor cross_EO = (wa_EOR * b).sum(-1), added_EO = (at::matmul(b, aa_ERR) * b).sum(-1);
  return (square_EO + 2 * scaling * cross_EO + scaling * scaling * added_EO).clamp_min(0).sqrt();
}

Factors::Factors(Options options, at::Tensor a, at::Tensor b, at::Tensor magnitude)
    : options_(options), a_(std::move(a)), b_(std::move(b)), magnitude_(std::move(magnitude)) {}

at::Tensor Factors::a(int64_t expert) const { return with_experts(a_.detach(), 3)[expert]; }

at::Tensor Factors::b(int64_t expert) const { return with_experts(b_.detach(), 3)[expert]; }

at::Tensor Factors::magnitude(int64_t expert) const {
  return with_experts(magnitude_.detach(), 2)[expert];
}

at::Tensor Factors::row_factors(const at::Tensor& weight_EOI) {
  at::Tensor norm_EO;
  {
    const at::NoGradGuard no_grad;
    if (!square_EO_.defined()) square_EO_ = squared_rows(weight_EOI);
    norm_EO =
        row_norms(
            weight_EOI, square_EO_, with_experts(a_, 3), with_experts(b_, 3), options_.scaling)
            .to(magnitude_.scalar_type());
  }
  return with_experts(magnitude_, 2) / norm_EO;
}

void Factors::start(const at::Tensor& weight_EOI) {
  square_EO_ = at::Tensor();
  if (!options_.dora || weight_EOI.is_meta()) return;
  const at::NoGradGuard no_grad;
  square_EO_ = squared_rows(weight_EOI);
  with_experts(magnitude_.detach(), 2).copy_(square_EO_.sqrt());
}

void Factors::merge(const at::Tensor& weight_EOI) {
  if (is_merged_) return;
  const at::NoGradGuard no_grad;
  for (int64_t e = 0; e < weight_EOI.size(0); ++e) {
    at::Tensor merged_OI = at::matmul(b(e).to(at::kFloat), a(e).to(at::kFloat))
                               .mul_(options_.scaling)
                               .add_(weight_EOI[e].detach().to(at::kFloat));
    if (options_.dora)
      merged_OI.mul_(
          (magnitude(e).to(at::kFloat) / at::linalg_vector_norm(merged_OI, 2, {-1})).unsqueeze(1));
    weight_EOI[e].detach().copy_(merged_OI);
  }
  is_merged_ = true;
}

LoraOp::LoraOp(const BuildContext& build, const Linear& linear, const Options& options) {
  const int64_t inputs = linear.in_features(), outputs = linear.out_features();
  a_RI_ = add_parameter("A", {options.rank, inputs}, build, a_init(options, inputs));
  b_OR_ = add_parameter("B", {outputs, options.rank}, build, Init::zeros());
  if (options.dora) magnitude_O_ = add_parameter("magnitude", {outputs}, build, Init::ones());
  factors_ = std::make_unique<Factors>(options, a_RI_, b_OR_, magnitude_O_);
}

at::Tensor LoraOp::forward(const Linear& linear, const at::Tensor& x, const Next& next) {
  if (factors_->is_merged()) return next(x);
  const Options& options = factors_->options();
  const at::Tensor base = next(x);
  const at::Tensor added = in_dtype_of(a_RI_, x, [&](const at::Tensor& own) {
    const at::Tensor low = at::linear(dropped(own, options.dropout, is_training()), a_RI_);
    return at::linear(low * options.scaling, b_OR_);
  });
  if (!options.dora) return base + added;
  const at::Tensor factors_O = factors_->row_factors(linear.weight().unsqueeze(0)).squeeze(0);
  const at::Tensor& bias_O = linear.bias();
  const at::Tensor turned =
      bias_O.defined() ? (base - bias_O + added) * factors_O + bias_O : (base + added) * factors_O;
  return turned.to(x.scalar_type());
}

GroupedLoraOp::GroupedLoraOp(const BuildContext& build,
                             const GroupedLinear& linear,
                             const Options& options) {
  const int64_t experts = linear.num_experts(), inputs = linear.in_features(),
                outputs = linear.out_features();
  a_ERI_ = add_parameter("A", {experts, options.rank, inputs}, build, a_init(options, inputs));
  b_EOR_ = add_parameter("B", {experts, outputs, options.rank}, build, Init::zeros());
  if (options.dora)
    magnitude_EO_ = add_parameter("magnitude", {experts, outputs}, build, Init::ones());
  factors_ = std::make_unique<Factors>(options, a_ERI_, b_EOR_, magnitude_EO_);
}

at::Tensor GroupedLoraOp::forward(const GroupedLinear& linear,
                                  const at::Tensor& x_MI,
                                  std::span<const int64_t> borders,
                                  const Next& next) {
  if (factors_->is_merged()) return next(x_MI);
  const Options& options = factors_->options();
  const at::Tensor base_MO = next(x_MI);
  const at::Tensor added_MO = in_dtype_of(a_ERI_, x_MI, [&](const at::Tensor& own_MI) {
    const at::Tensor low_MR =
        grouped_product(dropped(own_MI, options.dropout, is_training()), a_ERI_, borders);
    return grouped_product(low_MR * options.scaling, b_EOR_, borders);
  });
  const at::Tensor sum_MO = base_MO + added_MO;
  if (!options.dora) return sum_MO;
  std::vector<int64_t> rows;
  for (size_t e = 0; e + 1 < borders.size(); ++e) rows.push_back(borders[e + 1] - borders[e]);
  const at::Tensor factors_EO = factors_->row_factors(linear.weight());
  const at::Tensor factors_MO =
      at::repeat_interleave(factors_EO, at::tensor(rows, at::kLong), 0, x_MI.size(0));
  return (sum_MO * factors_MO).to(x_MI.scalar_type());
}

}  // namespace mortise::adapter::lora
