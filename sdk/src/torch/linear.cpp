// Linear: the product, and the chain of operations around it.
#include "mortise/torch/linear.hpp"

#include <algorithm>

#include "mortise/error.hpp"
#include "mortise/torch/ops.hpp"
#include "mortise/torch/precision.hpp"

namespace mortise {

LinearOp::~LinearOp() = default;
Linear::~Linear() = default;

Linear::Linear(const BuildContext& build,
               int64_t in_features,
               int64_t out_features,
               LinearOptions options)
    : in_features_(in_features), out_features_(out_features) {
  MORTISE_CHECK(in_features > 0 && out_features > 0,
                "a linear layer needs positive sizes, got {} → {}",
                in_features,
                out_features);
  weight_ =
      add_parameter("weight", {out_features, in_features}, build, Init::normal(options.residual));
  if (options.bias) bias_ = add_parameter("bias", {out_features}, build, Init::zeros());
}

at::Tensor Linear::operator()(const at::Tensor& x) const { return run(ops_.size(), x); }

at::Tensor Linear::run(size_t depth, const at::Tensor& x) const {
  if (depth == 0)
    return in_dtype_of(
        weight_, x, [this](const at::Tensor& own) { return ops::linear(own, weight_, bias_); });
  return ops_[depth - 1]->forward(
      *this, x, [this, depth](const at::Tensor& inner) { return run(depth - 1, inner); });
}

void Linear::wrap(std::string name, std::shared_ptr<LinearOp> op) {
  ops_.push_back(add_child(std::move(name), std::move(op)));
}

std::vector<at::Tensor> project(const at::Tensor& x, const std::vector<const Linear*>& linears) {
  const auto shares = [&](const Linear* linear) {
    return linear->is_plain() && !linear->bias().defined() &&
           linear->weight().scalar_type() == x.scalar_type();
  };
  std::vector<at::Tensor> list;
  if (std::all_of(linears.begin(), linears.end(), shares)) {
    for (const Linear* linear : linears) list.push_back(linear->weight());
    return ops::linears(x, list);
  }
  for (const Linear* linear : linears) list.push_back((*linear)(x));
  return list;
}

}  // namespace mortise
