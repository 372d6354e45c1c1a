// First values of parameters: normal by Box–Muller over Philox blocks, counted from the start of each tensor.
//
// Element i of a tensor is a function of (seed, path, i) alone: block i/4 of the stream keyed by mix_key(seed, path)
// gives two pairs (u₁, u₂), and each pair gives two normals  sqrt(−2 ln u₁)·cos 2πu₂  and  ·sin 2πu₂.  So any thread
// may fill any range.  Batches of 16,384 elements: the transcendental functions run vectorised, in the cache.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>

#include "core/engine/model/language_model.hpp"
#include "mortise/error.hpp"
#include "mortise/random.hpp"

namespace mortise::core {

namespace {

constexpr int64_t kBatch = 16384;  // elements; a multiple of 4

/// Fills out[0, count) with standard normals of elements [begin, begin + count); begin is a multiple of kBatch.
void fill_normal(uint64_t key, int64_t begin, int64_t count, float* out) {
  constexpr int64_t kPairs = kBatch / 2;
  thread_local std::vector<float> radius(kPairs), angle(kPairs);
  Philox random(key, /*stream=*/0);
  random.seek(static_cast<uint64_t>(begin / 4));
  const int64_t pairs = (count + 1) / 2;
  for (int64_t i = 0; i < pairs; ++i) {
    // 24 bits, shifted by a half: never 0, so that the logarithm is finite
    radius[static_cast<size_t>(i)] = (static_cast<float>(random.next_u32() >> 8) + 0.5f) * 0x1.0p-24f;
    angle[static_cast<size_t>(i)] = static_cast<float>(random.next_u32() >> 8) * 0x1.0p-24f;
  }
  at::Tensor r = at::from_blob(radius.data(), {pairs}), a = at::from_blob(angle.data(), {pairs});
  r.log_().mul_(-2).sqrt_();
  a.mul_(2 * 3.14159265358979323846);
  const at::Tensor x = r * a.cos(), y = r * a.sin();
  const float* xs = x.const_data_ptr<float>();
  const float* ys = y.const_data_ptr<float>();
  for (int64_t i = 0; i < count; ++i) out[i] = i % 2 == 0 ? xs[i / 2] : ys[i / 2];
}

at::Tensor normal(at::IntArrayRef shape, uint64_t key) {
  at::Tensor out = at::empty(shape, at::kFloat);
  float* data = out.mutable_data_ptr<float>();
  const int64_t total = out.numel(), batches = (total + kBatch - 1) / kBatch;
  at::parallel_for(0, batches, 1, [&](int64_t first, int64_t last) {
    const at::NoGradGuard no_grad;  // a thread-local setting: every worker needs its own
    for (int64_t batch = first; batch < last; ++batch) {
      const int64_t begin = batch * kBatch;
      fill_normal(key, begin, std::min(kBatch, total - begin), data + begin);
    }
  });
  return out;
}

}  // namespace

void initialise(LanguageModel& model, uint64_t seed, double std, bool scale_residual) {
  const at::NoGradGuard no_grad;
  const double residual_scale = scale_residual ? 1 / std::sqrt(2.0 * static_cast<double>(model.num_layers())) : 1;
  for (NamedTensor& parameter : model.parameters()) {
    at::Tensor tensor = parameter.tensor;
    MORTISE_ASSERT(!tensor.is_meta(), "{} is on the meta device", parameter.name);
    switch (parameter.init.kind) {
      case Init::Kind::Zeros: tensor.zero_(); break;
      case Init::Kind::Ones: tensor.fill_(1); break;
      case Init::Kind::Normal:
        tensor.copy_(normal(tensor.sizes(), mix_key(seed, parameter.name)).mul_(std * (parameter.init.residual ? residual_scale : 1)));
        break;
    }
  }
}

}  // namespace mortise::core
