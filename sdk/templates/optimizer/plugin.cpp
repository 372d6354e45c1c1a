// @NAME@: w ← (1 − lr·weight_decay)·w − lr·sign(m), where m is an average of gradients.
#include <ATen/ATen.h>
#include <mortise/plugin.hpp>
#include <mortise/torch/optimizer.hpp>

struct @CLASS@ final : mortise::Optimizer {
  struct Config {
    double momentum = 0.9;
    static void describe(mortise::Schema<Config>& s) { s.field("momentum", &Config::momentum, "of the gradient").range(0, 1); }
  };
  @CLASS@(Config config, mortise::Slots slots) : config_(config), slots_(std::move(slots)), m_(mortise::zeros_like(slots_)) {}
  void step(const mortise::StepContext&) override {
    for (size_t i = 0; i < slots_.size(); ++i) {
      auto& slot = slots_[i];
      if (!slot.grad.defined()) continue;
      m_[i].mul_(config_.momentum).add_(slot.grad, 1 - config_.momentum);
      slot.param.mul_(1 - slot.lr * slot.weight_decay).sub_(m_[i].sign(), slot.lr);
    }
  }
  void state(mortise::StateIo& io) override { io.tensors("m", m_); }
  Config config_;
  mortise::Slots slots_;
  std::vector<at::Tensor> m_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "sign of the momentum"));
