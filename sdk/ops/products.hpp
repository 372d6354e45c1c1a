// Matrix products of two-dimensional tensors, by the way that is fastest for their dtype on this
// processor.
//
// A processor that multiplies bf16 itself (AVX512_BF16) does so 4–5 times faster than fp32 through
// at::mm (oneDNN); on others the same call emulates it at 0.8 of fp32's speed (AVX-512) or at 0.03
// to 0.4 of it (AVX2), and fp16 is at 0.01 to 0.2.  There the product of the widened operands is
// taken: 0.95 of fp32's speed.  (One thread, 15 shapes of the models in
// tests/bench/train_bench.py.) Either way sums are fp32 and a result is rounded once.
#pragma once

#include <ATen/ATen.h>

namespace mortise::ops {

/// Says whether at::mm is the way for this dtype; else operands are widened.
bool multiplies(at::ScalarType dtype);

/// a·b.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);

/// out = a·b.
void product_into(at::Tensor& out, const at::Tensor& a, const at::Tensor& b);

/// sum += a·b, rounded to the type of the sum.
void add_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b);

}  // namespace mortise::ops
