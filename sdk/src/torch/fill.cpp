// Normal numbers by Box–Muller over Philox blocks, counted from the start of each tensor.
//
// Element i of a tensor is a function of (key, i) alone: block i/4 of the stream of that key gives
// two pairs (u₁, u₂), and each pair gives two normals  sqrt(−2 ln u₁)·cos 2πu₂  and  ·sin 2πu₂.  So
// any thread may fill any range.  Plain loops over libm: ATen's log and cos run MKL's vector
// functions, which open threads of their own inside ours; on a busy machine that was seen to take
// seconds instead of a tenth.
#include "mortise/torch/fill.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include "mortise/random.hpp"
#include "mortise/torch/parallel_for.hpp"

namespace mortise {

namespace {

constexpr int64_t kBatch = 16384;  // elements; a multiple of 4
constexpr float kTwoPi = 6.28318530717958648f;

/// One batch of one parameter.
struct Batch {
  at::Tensor flat_N;  // the whole parameter
  uint64_t key = 0;
  double scale = 1;
  bool uniform = false;  // ± scale; else normal with that standard deviation
  int64_t begin = 0;     // a multiple of kBatch
};

/// Standard normals of elements [begin, begin + count).  Shapes: → [count], fp32.
at::Tensor normal(uint64_t key, int64_t begin, int64_t count) {
  at::Tensor out_N = at::empty({count + count % 2}, at::kFloat);
  float* out = out_N.mutable_data_ptr<float>();
  Philox random(key, /*stream=*/0);
  random.seek(static_cast<uint64_t>(begin / 4));
  for (int64_t i = 0; i < count; i += 2) {
    // 24 bits, shifted by a half: never 0, so that the logarithm is finite
    const float first = (static_cast<float>(random.next_u32() >> 8) + 0.5f) * 0x1.0p-24f;
    const float second = static_cast<float>(random.next_u32() >> 8) * 0x1.0p-24f;
    const float radius = std::sqrt(-2 * std::log(first)), angle = kTwoPi * second;
    out[i] = radius * std::cos(angle);
    out[i + 1] = radius * std::sin(angle);
  }
  return out_N.narrow(0, 0, count);
}

/// Uniform numbers in (−1, 1), the same stream.  Shapes: → [count], fp32.
at::Tensor uniform(uint64_t key, int64_t begin, int64_t count) {
  at::Tensor out_N = at::empty({count}, at::kFloat);
  float* out = out_N.mutable_data_ptr<float>();
  Philox random(key, /*stream=*/0);
  random.seek(static_cast<uint64_t>(begin / 4));
  for (int64_t i = 0; i < count; ++i)
    out[i] = (static_cast<float>(random.next_u32() >> 8) + 0.5f) * 0x1.0p-23f - 1;
  return out_N;
}

void fill(const Batch& batch) {
  const int64_t count = std::min(kBatch, batch.flat_N.size(0) - batch.begin);
  const at::Tensor numbers_N = batch.uniform ? uniform(batch.key, batch.begin, count)
                                             : normal(batch.key, batch.begin, count);
  batch.flat_N.narrow(0, batch.begin, count).copy_(numbers_N.mul_(batch.scale));
}

}  // namespace

void fill_random(const std::vector<RandomFill>& fills) {
  const at::NoGradGuard no_grad;
  std::vector<Batch> batches;
  for (const RandomFill& fill : fills) {
    const at::Tensor flat_N = fill.tensor.detach().view({-1});
    for (int64_t begin = 0; begin < flat_N.size(0); begin += kBatch)
      batches.push_back({flat_N, fill.key, fill.scale, fill.uniform, begin});
  }
  parallel_for(0, static_cast<int64_t>(batches.size()), 1, [&](int64_t first, int64_t last) {
    const at::NoGradGuard worker_no_grad;  // a thread-local setting: every worker needs its own
    for (int64_t i = first; i < last; ++i) fill(batches[static_cast<size_t>(i)]);
  });
}

}  // namespace mortise
