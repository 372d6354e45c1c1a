// The meeting point of everything that changes a projection: y = x·Wᵀ + b behind a chain of
// operations.
//
// LoRA adds to the result, a quantizer replaces the product, tensor parallelism wraps it with
// communication, DP-SGD records the input: each is a LinearOp, and none knows the others.  The path
// of a Linear is its Hugging Face name; that is what adapter targets and quantizer rules match.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mortise/torch/module.hpp"

namespace mortise {

class Linear;

/// One link of the chain.  It may own parameters (they appear under the Linear's path).
class MORTISE_API LinearOp : public Module {
 public:
  using Next = std::function<at::Tensor(const at::Tensor&)>;
  ~LinearOp() override;
  /// Computes the projection of `x`; calls `next` once, more often, or not at all (when it replaces
  /// the product). Shapes: x_…I → …O.   Thread: [train-thread].
  virtual at::Tensor forward(const Linear& linear, const at::Tensor& x, const Next& next) = 0;
};

struct LinearOptions {
  bool bias = false;
  bool residual = false;  // its output is added to the residual stream (for Init)
};

/// Parameters: weight_OI, bias_O.   Thread: forward [train-thread].
class MORTISE_API Linear final : public Module {
 public:
  Linear(const BuildContext& build,
         int64_t in_features,
         int64_t out_features,
         LinearOptions options = {});
  ~Linear() override;

  /// Shapes: x_…I → …O.
  at::Tensor operator()(const at::Tensor& x) const;

  int64_t in_features() const { return in_features_; }

  int64_t out_features() const { return out_features_; }

  const at::Tensor& weight() const { return weight_; }

  const at::Tensor& bias() const { return bias_; }  // undefined when there is none

  /// Puts an operation around all that is there already.  Throws: Error when the name is taken.
  void wrap(std::string name, std::shared_ptr<LinearOp> op);

  bool is_plain() const { return ops_.empty(); }

 private:
  at::Tensor run(size_t depth, const at::Tensor& x) const;

  int64_t in_features_, out_features_;
  at::Tensor weight_, bias_;
  std::vector<std::shared_ptr<LinearOp>> ops_;  // the last is the outermost
};

/// The projections of one input: what calling each gives.  Plain ones without bias share a node of
/// the graph (ops::linears).   Thread: [train-thread].
MORTISE_API std::vector<at::Tensor> project(const at::Tensor& x,
                                            const std::vector<const Linear*>& linears);

}  // namespace mortise
