// Matrix products of two-dimensional tensors on the CPU, by the way that is fastest for their dtype
// on this processor.
//
// Measured on one thread for the shapes of the models in tests/bench/train_bench.py:
//   bf16  at::mm (oneDNN) is 4–5 times as fast as fp32 where the processor multiplies bf16 itself
//         (AVX512_BF16).  Elsewhere it emulates: 0.8 of fp32 with AVX-512, 0.03 … 0.4 with AVX2.
//         Then the operands are widened: 0.95 of fp32.
//   fp16  emulated at 0.01 … 0.2 of fp32: widened.
//   fp32  at::mm is MKL, which gives processors of other makers its AVX2 code even where they have
//         AVX-512; oneDNN's is 2.2 times as fast there.
// All of them sum in fp32, round a result once, and give the same bits at any thread count.
#pragma once

#include <span>

#include <ATen/ATen.h>

namespace mortise::ops {

/// Says whether at::mm is the way for this dtype.
bool multiplies(at::ScalarType dtype);

/// Says whether at::mm takes 16-bit operands as they are, or the dtype is wider.
bool keeps_dtype(at::ScalarType dtype);

/// Rows to bring a matrix of so many rows to, with zeros, where this dtype's products keep compiled
/// code for every shape that they meet (oneDNN: about 0.3 ms and 260 KiB for a new one): a number
/// of rows that changes from step to step then takes few values.  Elsewhere, and for few rows, the
/// same number.
int64_t padded_rows(int64_t rows, at::ScalarType dtype);

/// A tensor of `rows` rows, x and then zeros; x itself when it has as many.
at::Tensor with_rows_padded(const at::Tensor& x, int64_t rows);

/// a·b.   Thread: [any-thread], without gradient, as all here.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);

/// out = a·b.
void product_into(at::Tensor& out, const at::Tensor& a, const at::Tensor& b);

/// sum += a·b, rounded to the type of the sum.
void add_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b);

/// Throws: Error unless the borders of E segments run from 0 to the rows of x.
void check_segments(const at::Tensor& x_MI,
                    const at::Tensor& weight_EOI,
                    std::span<const int64_t> borders);

}  // namespace mortise::ops
