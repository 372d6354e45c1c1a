// Sums of squares in blocks of a fixed size.  A block adds its elements in 16 lanes of double, the
// blocks of a tensor are added in order; threads take blocks, so they decide nothing about the sum.
#include "mortise/torch/gradients.hpp"

#include <algorithm>
#include <cstdint>

#include <ATen/ATen.h>
#include <ATen/record_function.h>

#include "mortise/torch/parallel_for.hpp"

namespace mortise {

namespace {

constexpr int64_t kBlock = 32768;  // elements
constexpr int64_t kLanes = 16;

template <class T>
__attribute__((optimize("O3"))) double square_sum(const T* values, int64_t count) {
  double lanes[kLanes] = {};
  const int64_t whole = count - count % kLanes;
  for (int64_t i = 0; i < whole; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const auto value = static_cast<double>(values[i + lane]);
      lanes[lane] += value * value;
    }
  for (int64_t i = whole; i < count; ++i) {
    const auto value = static_cast<double>(values[i]);
    lanes[i - whole] += value * value;
  }
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

double square_sum(const at::Tensor& dense, int64_t begin, int64_t count) {
  const auto from = [&](const auto* values) { return square_sum(values + begin, count); };
  switch (dense.scalar_type()) {
    case at::kFloat:
      return from(dense.const_data_ptr<float>());
    case at::kDouble:
      return from(dense.const_data_ptr<double>());
    case at::kBFloat16:
      return from(dense.const_data_ptr<at::BFloat16>());
    default:
      return from(dense.const_data_ptr<at::Half>());
  }
}

bool is_summed_here(const at::Tensor& tensor) {
  const at::ScalarType type = tensor.scalar_type();
  return tensor.is_cpu() &&
         (type == at::kFloat || type == at::kDouble || type == at::kBFloat16 || type == at::kHalf);
}

struct Block {
  const at::Tensor* dense;
  size_t tensor;
  int64_t begin, count;
};

}  // namespace

std::vector<double> sums_of_squares(const std::vector<at::Tensor>& tensors) {
  const at::NoGradGuard no_grad;
  RECORD_FUNCTION("mortise::sums_of_squares", c10::ArrayRef<const c10::IValue>{});
  std::vector<double> sums(tensors.size(), 0);
  std::vector<at::Tensor> dense(tensors.size());
  std::vector<Block> blocks;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].defined()) continue;
    if (!is_summed_here(tensors[i])) {
      sums[i] = at::linalg_vector_norm(
                    tensors[i], 2, at::OptionalIntArrayRef(), /*keepdim=*/false, at::kDouble)
                    .square()
                    .item<double>();
      continue;
    }
    // In the order of memory, whatever the strides say.
    dense[i] = tensors[i].is_non_overlapping_and_dense() ? tensors[i] : tensors[i].contiguous();
    for (int64_t begin = 0; begin < dense[i].numel(); begin += kBlock)
      blocks.push_back({&dense[i], i, begin, std::min(kBlock, dense[i].numel() - begin)});
  }
  std::vector<double> parts(blocks.size());
  parallel_for(0, static_cast<int64_t>(blocks.size()), 1, [&](int64_t first, int64_t last) {
    for (auto b = static_cast<size_t>(first); b < static_cast<size_t>(last); ++b)
      parts[b] = square_sum(*blocks[b].dense, blocks[b].begin, blocks[b].count);
  });
  for (size_t b = 0; b < blocks.size(); ++b) sums[blocks[b].tensor] += parts[b];
  return sums;
}

}  // namespace mortise
