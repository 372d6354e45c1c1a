// Grouped-query attention, causal.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "mortise/schema.hpp"
#include "mortise/torch/attention.hpp"
#include "mortise/torch/linear.hpp"
#include "mortise/torch/norm.hpp"
#include "mortise/torch/position.hpp"

namespace mortise::attention::gqa {

class Gqa final : public Attention {
 public:
  struct Config {
    int64_t heads = 0;
    std::optional<int64_t> kv_heads;
    std::optional<int64_t> head_dim;
    bool bias = false;
    bool output_bias = false;
    Use<Position> position = Use<Position>("rope");
    Use<Norm> qk_norm;
    std::optional<int64_t> sliding_window;
    std::string kernel = "auto";
    static void describe(Schema<Config>& schema);
  };

  Gqa(Config config, const AttentionArgs& args);
  at::Tensor forward(const BlockInput& in) override;

  KvShape kv_shape() const override { return {kv_heads_, head_dim_}; }

 private:
  enum class Kernel { Auto, Eager, Sdpa };

  at::Tensor attend(const BlockInput& in,
                    const at::Tensor& q_BTHK,
                    at::Tensor k_BTGK,
                    at::Tensor v_BTGK) const;
  at::Tensor attend_one(const at::Tensor& q_BTHK,
                        const at::Tensor& k_BGUK,
                        const at::Tensor& v_BGUK) const;

  int64_t heads_, kv_heads_, head_dim_, layer_;
  int64_t window_;  // keys that a query sees, its own included; 0: all
  double scale_;
  Kernel kernel_;
  std::shared_ptr<Linear> q_, k_, v_, o_;
  std::shared_ptr<Norm> q_norm_, k_norm_;  // null: none
  std::shared_ptr<Position> position_;
};

}  // namespace mortise::attention::gqa
