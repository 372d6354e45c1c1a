// Shared by the fused operations: when they apply, and how rows are spread over threads.
#pragma once

#include <algorithm>
#include <initializer_list>

#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include "mortise/torch/parallel_for.hpp"

#include "kernels.hpp"

/// Names the operation that begins here in profiles; without a profiler it costs nanoseconds.
#define MORTISE_PROFILED(name) RECORD_FUNCTION("mortise::" name, c10::ArrayRef<const c10::IValue>{})

namespace mortise::ops {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The fused path takes fp32, bf16 or fp16 tensors on the CPU, all of one dtype.
inline bool is_fusable(std::initializer_list<const at::Tensor*> tensors) {
  const at::ScalarType dtype = (*tensors.begin())->scalar_type();
  return (dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf) &&
         std::all_of(tensors.begin(), tensors.end(), [dtype](const at::Tensor* tensor) {
           return !tensor->defined() ||
                  (tensor->scalar_type() == dtype && tensor->device().is_cpu());
         });
}

/// Calls f(kernels) with the row kernels of a fusable dtype.
template <class F>
void with_rows(at::ScalarType dtype, F f) {
  if (dtype == at::kFloat)
    f(kernels().fp32);
  else if (dtype == at::kBFloat16)
    f(kernels().bf16);
  else
    f(kernels().fp16);
}

template <class T>
const T* elements(const at::Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}

template <class T>
T* elements_to_write(at::Tensor& tensor) {
  return static_cast<T*>(tensor.mutable_data_ptr());
}

/// An empty tensor for fp32 numbers beside `like`.
inline at::Tensor empty_fp32(at::IntArrayRef sizes, const at::Tensor& like) {
  return at::empty(sizes, like.options().dtype(at::kFloat));
}

/// Calls f(begin, end) over blocks of `block` rows.  Blocks do not depend on the number of threads,
/// so sums made per block and added in order have the same bits at any thread count.
template <class F>
void for_blocks(int64_t rows, int64_t block, F f) {
  const int64_t blocks = (rows + block - 1) / block;
  parallel_for(0, blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; ++b) f(b, b * block, std::min(rows, (b + 1) * block));
  });
}

/// Adds the rows of `parts_PD` (fp32, contiguous) in order.
inline at::Tensor sum_in_order(const at::Tensor& parts_PD) {
  at::Tensor total = parts_PD[0].clone();
  const int64_t width = total.numel();
  const float* part = parts_PD.const_data_ptr<float>();
  float* sum = total.data_ptr<float>();
  for (int64_t row = 1; row < parts_PD.size(0); ++row)
    for (int64_t i = 0; i < width; ++i) sum[i] += part[row * width + i];
  return total;
}

}  // namespace mortise::ops
