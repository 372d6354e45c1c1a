// @NAME@: cross-entropy in chunks of tokens, so that logits of all tokens never exist at once.
#include <ATen/ATen.h>
#include <mortise/plugin.hpp>
#include <mortise/torch/objective.hpp>

struct @CLASS@ final : mortise::Objective {
  struct Config {
    int64_t chunk = 256;
    static void describe(mortise::Schema<Config>& s) { s.field("chunk", &Config::chunk, "tokens at a time").min(1).unit("tokens"); }
  };
  explicit @CLASS@(Config config) : config_(config) {}
  mortise::ObjectiveOutput forward(const mortise::ObjectiveInput& in) override {
    at::Tensor sum = at::zeros({}, at::kFloat);
    for (int64_t begin = 0; begin < in.hidden_ND.size(0); begin += config_.chunk) {
      const int64_t count = std::min(config_.chunk, in.hidden_ND.size(0) - begin);
      const at::Tensor logits = in.head->logits(in.hidden_ND.narrow(0, begin, count)).to(at::kFloat);
      at::Tensor loss_N = at::nll_loss(at::log_softmax(logits, -1), in.targets_N.narrow(0, begin, count), {}, at::Reduction::None);
      if (in.mask_N.defined()) loss_N = at::where(in.mask_N.narrow(0, begin, count), loss_N, at::zeros_like(loss_N));
      sum = sum + loss_N.sum();
    }
    return {.loss = sum * (in.loss_scale / in.normaliser), .loss_sum = sum.detach(), .parts = {}};
  }
  Config config_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "cross-entropy in chunks"));
