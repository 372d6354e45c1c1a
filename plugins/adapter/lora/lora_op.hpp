// The operation that LoRA and DoRA put around a projection.  I inputs, O outputs, R rank, E experts
// (1 for a Linear).
#pragma once

#include <memory>
#include <span>

#include "mortise/torch/grouped_linear.hpp"
#include "mortise/torch/linear.hpp"

namespace mortise::adapter::lora {

struct Options {
  int64_t rank = 8;
  double scaling = 1;
  double dropout = 0;
  bool dora = false;
  bool gaussian = false;  // A is normal with 1/rank instead of uniform
};

/// ‖W + s·B·A‖ of each row, without building it:
/// ‖w_o‖² + 2s·(W·Aᵀ)_o·b_o + s²·b_oᵀ(A·Aᵀ)b_o.  Shapes: a_ERI, b_EOR, square_EO → fp32 [E, O].
at::Tensor row_norms(const at::Tensor& weight_EOI,
                     const at::Tensor& square_EO,
                     const at::Tensor& a_ERI,
                     const at::Tensor& b_EOR,
                     double scaling);

/// What both operations know of their projection: handles of its parameters.
class Factors {
 public:
  Factors(Options options, at::Tensor a, at::Tensor b, at::Tensor magnitude);

  const Options& options() const { return options_; }

  /// Magnitude over norm of each row; the norm is a constant to autograd (DoRA §4.3).
  /// Shapes: weight_EOI → [E, O].
  at::Tensor row_factors(const at::Tensor& weight_EOI);
  /// The magnitudes become the norms of the base weights.
  void start(const at::Tensor& weight_EOI);
  /// W ← (W + s·B·A) · magnitude / norm, in fp32 with one rounding.
  void merge(const at::Tensor& weight_EOI);

  bool is_merged() const { return is_merged_; }

  /// Views of one expert, without a gradient.
  at::Tensor a(int64_t expert) const;
  at::Tensor b(int64_t expert) const;
  at::Tensor magnitude(int64_t expert) const;

 private:
  Options options_;
  at::Tensor a_, b_, magnitude_;  // parameters, with or without the dimension of experts
  at::Tensor square_EO_;          // squared norms of the base rows; undefined: not read yet
  bool is_merged_ = false;
};

/// Parameters: A_RI, B_OR, magnitude_O (DoRA).
class LoraOp final : public LinearOp {
 public:
  LoraOp(const BuildContext& build, const Linear& linear, const Options& options);
  at::Tensor forward(const Linear& linear, const at::Tensor& x, const Next& next) override;

  Factors& factors() { return *factors_; }

 private:
  at::Tensor a_RI_, b_OR_, magnitude_O_;
  std::unique_ptr<Factors> factors_;
};

/// Parameters: A_ERI, B_EOR, magnitude_EO (DoRA).
class GroupedLoraOp final : public GroupedLinearOp {
 public:
  GroupedLoraOp(const BuildContext& build, const GroupedLinear& linear, const Options& options);
  at::Tensor forward(const GroupedLinear& linear,
                     const at::Tensor& x_MI,
                     std::span<const int64_t> borders,
                     const Next& next) override;

  Factors& factors() { return *factors_; }

 private:
  at::Tensor a_ERI_, b_EOR_, magnitude_EO_;
  std::unique_ptr<Factors> factors_;
};

}  // namespace mortise::adapter::lora
