// Lion (Chen et al., arXiv:2302.06675, algorithm 2) in one pass over w, g and m.
//
// The direction uses the momentum before its update; sign(0) = 0.  Dense fp32 slots run a plain
// loop that the compiler vectorises; others the same equations by ATen, in fp32, rounded once.
#include "lion.hpp"

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/parallel_for.hpp"

namespace mortise::optimizer::lion {

namespace {

struct Rates {
  float beta1, beta2, keep, lr;  // keep = 1 − lr·weight_decay
};

__attribute__((optimize("O3"))) void update(float* __restrict w,
                                            const float* __restrict g,
                                            float* __restrict m,
                                            int64_t count,
                                            Rates rates) {
  for (int64_t i = 0; i < count; ++i) {
    const float direction = rates.beta1 * m[i] + (1 - rates.beta1) * g[i];
    const float sign = static_cast<float>(direction > 0) - static_cast<float>(direction < 0);
    w[i] = rates.keep * w[i] - rates.lr * sign;
    m[i] = rates.beta2 * m[i] + (1 - rates.beta2) * g[i];
  }
}

bool is_dense_float(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
}

}  // namespace

Lion::Lion(Config config, const Slots& slots)
    : config_(std::move(config)), slots_(slots), m_(zeros_like(slots)) {
  MORTISE_CHECK(
      config_.betas.size() == 2, "lion: betas are two numbers, got {}", config_.betas.size());
}

void Lion::step(const StepContext&) {
  const double beta1 = config_.betas[0], beta2 = config_.betas[1];
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!slot.grad.defined()) continue;
    const double keep = 1 - slot.lr * slot.weight_decay;
    if (is_dense_float(slot.param) && is_dense_float(slot.grad)) {
      const Rates rates{static_cast<float>(beta1),
                        static_cast<float>(beta2),
                        static_cast<float>(keep),
                        static_cast<float>(slot.lr)};
      float *w = slot.param.data_ptr<float>(), *m = m_[i].data_ptr<float>();
      const float* g = slot.grad.data_ptr<float>();
      parallel_for(0, slot.param.numel(), 1 << 15, [&](int64_t begin, int64_t end) {
        update(w + begin, g + begin, m + begin, end - begin, rates);
      });
      continue;
    }
    const at::Tensor grad = slot.grad.to(at::kFloat);
    const at::Tensor direction = at::lerp(m_[i], grad, 1 - beta1).sign_();
    slot.param.copy_(slot.param.to(at::kFloat).mul(keep).sub_(direction, slot.lr));
    m_[i].lerp_(grad, 1 - beta2);
  }
}

void Lion::state(StateIo& io) { io.tensors("m", m_); }

void Lion::Config::describe(Schema<Config>& schema) {
  schema.field("betas", &Config::betas, "share of the momentum in the direction, and its decay")
      .range(0, 1);
  schema.provides("in_backward");
}

}  // namespace mortise::optimizer::lion

MORTISE_PLUGIN("org.mortise.optimizer.lion",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::optimizer::lion::Lion>(
                   "lion", "sign of an interpolated momentum, decoupled weight decay"));
