// Random first values of tensors, the same at any number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mortise/api.hpp"

namespace mortise {

/// A contiguous floating-point tensor and the numbers that it gets.
struct RandomFill {
  at::Tensor tensor;
  uint64_t key = 0;      // names the stream: mix_key(seed, path)
  double scale = 1;      // standard deviation, or bound
  bool uniform = false;  // in ± scale; else normal
};

/// Fills all of them on all threads.  A number depends on the key and its place in the tensor only.
/// Thread: [any-thread].
MORTISE_API void fill_random(const std::vector<RandomFill>& fills);

}  // namespace mortise
