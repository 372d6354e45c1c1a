// One projection for each of E experts, in one tensor: y[m] = W[e(m)]·x[m] behind a chain of
// operations, as Linear is for one.
//
// Rows arrive sorted by expert, so each expert is one product on one segment.  The path of a
// GroupedLinear is its Hugging Face name ("…mlp.experts.gate_proj"); adapter targets match it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mortise/torch/module.hpp"

namespace mortise {

class GroupedLinear;

/// One link of the chain around a GroupedLinear.
class MORTISE_API GroupedLinearOp : public Module {
 public:
  using Next = std::function<at::Tensor(const at::Tensor& x_MI)>;
  ~GroupedLinearOp() override;
  /// Shapes: x_MI → M×O, rows sorted by expert; borders: E + 1 places.   Thread: [train-thread].
  virtual at::Tensor forward(const GroupedLinear& linear,
                             const at::Tensor& x_MI,
                             std::span<const int64_t> borders,
                             const Next& next) = 0;
};

/// Parameters: weight_EOI.   Thread: forward [train-thread].
class MORTISE_API GroupedLinear final : public Module {
 public:
  GroupedLinear(const BuildContext& build,
                int64_t num_experts,
                int64_t in_features,
                int64_t out_features,
                bool residual = false);
  ~GroupedLinear() override;

  /// Shapes: x_MI sorted by expert, borders E + 1 → M×O.
  at::Tensor operator()(const at::Tensor& x_MI, std::span<const int64_t> borders) const;

  int64_t num_experts() const { return weight_.size(0); }

  int64_t in_features() const { return weight_.size(2); }

  int64_t out_features() const { return weight_.size(1); }

  const at::Tensor& weight() const { return weight_; }

  /// Puts an operation around all that is there already.  Throws: Error when the name is taken.
  void wrap(std::string name, std::shared_ptr<GroupedLinearOp> op);

  bool is_plain() const { return ops_.empty(); }

 private:
  at::Tensor run(size_t depth, const at::Tensor& x_MI, std::span<const int64_t> borders) const;

  at::Tensor weight_;
  std::vector<std::shared_ptr<GroupedLinearOp>> ops_;  // the last is the outermost
};

/// y[m] = x[m]·W[e]ᵀ for the rows of each segment; differentiable in both.  Empty segments are
/// fine.  Shapes: x_MI, weight_EOI, borders E + 1 → M×O.
MORTISE_API at::Tensor grouped_product(const at::Tensor& x_MI,
                                       const at::Tensor& weight_EOI,
                                       std::span<const int64_t> borders);

}  // namespace mortise
