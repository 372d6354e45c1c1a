// @NAME@: scales keys by 1 / (1 + rate · position), a toy bias towards early tokens; queries stay.
#include <ATen/ATen.h>
#include <mortise/plugin.hpp>
#include <mortise/torch/position.hpp>

struct @CLASS@ final : mortise::Position {
  struct Config {
    double rate = 0.01;
    static void describe(mortise::Schema<Config>& s) { s.field("rate", &Config::rate, "how fast keys shrink").min(0); }
  };
  explicit @CLASS@(Config config) : config_(config) {}
  std::pair<at::Tensor, at::Tensor> rotate(const at::Tensor& q_BTHK, const at::Tensor& k_BTGK, const at::Tensor& positions_BT) override {
    const at::Tensor factor_BT = 1 / (1 + config_.rate * positions_BT.to(k_BTGK.scalar_type()));
    return {q_BTHK, k_BTGK * factor_BT.unsqueeze(-1).unsqueeze(-1)};
  }
  Config config_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "shrinks keys with their position"));
