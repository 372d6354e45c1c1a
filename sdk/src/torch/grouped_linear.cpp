// One product per segment of rows, and the chain around it.
#include "mortise/torch/grouped_linear.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "mortise/error.hpp"
#include "mortise/torch/precision.hpp"

#include "../../ops/products.hpp"

namespace mortise {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Calls f(expert, begin, length) for each segment that has rows.
template <class F>
void for_segments(const std::vector<int64_t>& borders, F f) {
  for (size_t e = 0; e + 1 < borders.size(); ++e)
    if (borders[e + 1] > borders[e])
      f(static_cast<int64_t>(e), borders[e], borders[e + 1] - borders[e]);
}

struct GroupedProduct : torch::autograd::Function<GroupedProduct> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x_MI,
                            const at::Tensor& weight_EOI,
                            std::vector<int64_t> borders) {
    at::Tensor out_MO = at::empty({x_MI.size(0), weight_EOI.size(1)}, x_MI.options());
    for_segments(borders, [&](int64_t expert, int64_t begin, int64_t length) {
      at::Tensor out = out_MO.narrow(0, begin, length);
      ops::product_into(out, x_MI.narrow(0, begin, length), weight_EOI[expert].t());
    });
    context->save_for_backward({x_MI, weight_EOI});
    context->saved_data["borders"] = std::move(borders);
    return out_MO;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x_MI = saved[0], &weight_EOI = saved[1];
    const at::Tensor grad_MO = grads[0].contiguous();
    const std::vector<int64_t> borders = context->saved_data["borders"].toIntVector();
    at::Tensor grad_MI, grad_EOI;
    if (context->needs_input_grad(0)) grad_MI = at::empty_like(x_MI);
    if (context->needs_input_grad(1)) grad_EOI = at::empty_like(weight_EOI);
    for (size_t e = 0; grad_EOI.defined() && e + 1 < borders.size(); ++e)
      if (borders[e + 1] == borders[e]) grad_EOI[static_cast<int64_t>(e)].zero_();
    for_segments(borders, [&](int64_t expert, int64_t begin, int64_t length) {
      const at::Tensor grad = grad_MO.narrow(0, begin, length);
      if (grad_MI.defined()) {
        at::Tensor out = grad_MI.narrow(0, begin, length);
        ops::product_into(out, grad, weight_EOI[expert]);
      }
      if (grad_EOI.defined()) {
        at::Tensor out = grad_EOI[expert];
        ops::product_into(out, grad.t(), x_MI.narrow(0, begin, length));
      }
    });
    return {grad_MI, grad_EOI, {}};
  }
};

}  // namespace

GroupedLinearOp::~GroupedLinearOp() = default;
GroupedLinear::~GroupedLinear() = default;

at::Tensor grouped_product(const at::Tensor& x_MI,
                           const at::Tensor& weight_EOI,
                           std::span<const int64_t> borders) {
  ops::check_segments(x_MI, weight_EOI, borders);
  return GroupedProduct::apply(
      x_MI, weight_EOI, std::vector<int64_t>(borders.begin(), borders.end()));
}

GroupedLinear::GroupedLinear(const BuildContext& build,
                             int64_t num_experts,
                             int64_t in_features,
                             int64_t out_features,
                             bool residual) {
  MORTISE_CHECK(num_experts > 0 && in_features > 0 && out_features > 0,
                "a grouped linear layer needs positive sizes, got {} experts, {} → {}",
                num_experts,
                in_features,
                out_features);
  weight_ = add_parameter(
      "weight", {num_experts, out_features, in_features}, build, Init::normal(residual));
}

at::Tensor GroupedLinear::operator()(const at::Tensor& x_MI,
                                     std::span<const int64_t> borders) const {
  return run(ops_.size(), x_MI, borders);
}

at::Tensor GroupedLinear::run(size_t depth,
                              const at::Tensor& x_MI,
                              std::span<const int64_t> borders) const {
  if (depth == 0)
    return in_dtype_of(weight_, x_MI, [&](const at::Tensor& own_MI) {
      return grouped_product(own_MI, weight_, borders);
    });
  const auto next = [this, depth, borders](const at::Tensor& inner) {
    return run(depth - 1, inner, borders);
  };
  return ops_[depth - 1]->forward(*this, x_MI, borders, next);
}

void GroupedLinear::wrap(std::string name, std::shared_ptr<GroupedLinearOp> op) {
  ops_.push_back(add_child(std::move(name), std::move(op)));
}

}  // namespace mortise
