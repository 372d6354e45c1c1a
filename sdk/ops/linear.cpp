// Linear products as one node of the graph each, where at::linear records four (a view, a
// transpose, a product, a view back).
//
// y_i = x·W_iᵀ;  gW_i = g_iᵀ·x;  gx = Σ g_i·W_i, where every product after the first adds to the
// result (β = 1 of BLAS' gemm) instead of a further pass over memory.
#include <algorithm>

#include "mortise/torch/ops.hpp"

#include "autograd.hpp"
#include "products.hpp"

namespace mortise::ops {

namespace {

at::Tensor rows_of(const at::Tensor& x) { return x.reshape({-1, x.size(-1)}); }

void add_to(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b) {
  if (sum.defined())
    add_product(sum, a, b);
  else
    sum = product(a, b);
}

struct Linears : torch::autograd::Function<Linears> {
  static variable_list forward(AutogradContext* context,
                               const at::Tensor& x,
                               const at::TensorList& weights) {
    const at::Tensor rows = rows_of(x);
    variable_list saved = {x}, out;
    std::vector<int64_t> shape = x.sizes().vec();
    for (const at::Tensor& weight : weights) {
      shape.back() = weight.size(0);
      out.push_back(product(rows, weight.t()).view(shape));
      saved.push_back(weight);
    }
    context->save_for_backward(std::move(saved));
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor rows = rows_of(saved[0]);
    variable_list out(saved.size());  // of x, then of each weight
    at::Tensor gx;
    for (size_t i = 0; i < grads.size(); ++i) {
      if (!grads[i].defined()) continue;
      const at::Tensor g = rows_of(grads[i]);
      if (context->needs_input_grad(0)) add_to(gx, g, saved[i + 1]);
      if (context->needs_input_grad(i + 1)) out[i + 1] = product(g.t(), rows);
    }
    if (gx.defined()) out[0] = gx.view(saved[0].sizes());
    return out;
  }
};

bool wants_gradient(const at::Tensor& x, const std::vector<at::Tensor>& weights) {
  const auto wants = [](const at::Tensor& tensor) { return tensor.requires_grad(); };
  return at::GradMode::is_enabled() &&
         (wants(x) || std::any_of(weights.begin(), weights.end(), wants));
}

bool has_one_dtype(const at::Tensor& x, const std::vector<at::Tensor>& weights) {
  return std::all_of(weights.begin(), weights.end(), [&](const at::Tensor& weight) {
    return weight.scalar_type() == x.scalar_type() && weight.dim() == 2;
  });
}

// Inference meets any number of rows, and a cached forward must stay close to a whole one: always
// one kind of product.  A forward without gradient elsewhere (recompute) takes that of training.
bool is_plain(at::ScalarType dtype) {
  return multiplies(dtype) || (keeps_dtype(dtype) && c10::InferenceMode::is_enabled());
}

}  // namespace

std::vector<at::Tensor> linears(const at::Tensor& x, const std::vector<at::Tensor>& weights_OI) {
  MORTISE_PROFILED("linears");
  const bool is_mm = x.dim() >= 2 && has_one_dtype(x, weights_OI);
  if (!is_mm || (!wants_gradient(x, weights_OI) && is_plain(x.scalar_type())))
    return eager::linears(x, weights_OI);
  return Linears::apply(x, at::TensorList(weights_OI));
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  if (!bias_O.defined()) return linears(x, {weight_OI})[0];
  if (is_plain(x.scalar_type())) return at::linear(x, weight_OI, bias_O);
  return linears(x, {weight_OI})[0] + bias_O;
}

}  // namespace mortise::ops
