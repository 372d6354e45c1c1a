// Modules in another dtype than their neighbours (run.precision of a recipe).
//
// A module computes in the dtype of its own parameters.  What it is given in another floating dtype
// it converts, and its result goes back in the dtype that came: so a norm in fp32 stands between
// two layers in bf16, and neither knows.
#pragma once

#include <utility>

#include <ATen/core/Tensor.h>

namespace mortise {

/// Returns compute(x) with x in the dtype of `parameter`, the result in that of x.  Costs nothing
/// when they are one.
template <class Compute>
at::Tensor in_dtype_of(const at::Tensor& parameter, const at::Tensor& x, Compute&& compute) {
  if (x.scalar_type() == parameter.scalar_type()) return std::forward<Compute>(compute)(x);
  return std::forward<Compute>(compute)(x.to(parameter.scalar_type())).to(x.scalar_type());
}

}  // namespace mortise
