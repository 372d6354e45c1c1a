// @NAME@: one head, softmax(q·kᵀ / √D + causal mask) · v.  Packed documents, prefixes and caches are handled by one mask.
#include <ATen/ATen.h>
#include <mortise/plugin.hpp>
#include <mortise/torch/attention.hpp>
#include <mortise/torch/linear.hpp>

#include <cmath>

struct @CLASS@ final : mortise::Attention {
  struct Config {
    bool bias = false;
    static void describe(mortise::Schema<Config>& s) {
      s.field("bias", &Config::bias, "biases of the projections");
      s.provides("varlen");
      s.provides("kv_cache");
    }
  };
  @CLASS@(Config config, const mortise::AttentionArgs& args) : layer_(args.build.layer_index), scale_(1 / std::sqrt(static_cast<double>(args.width))) {
    const auto linear = [&](const char* name, bool residual) {
      return add_child(name, std::make_shared<mortise::Linear>(args.build, args.width, args.width, mortise::LinearOptions{config.bias, residual}));
    };
    q_ = linear("q_proj", false), k_ = linear("k_proj", false), v_ = linear("v_proj", false), o_ = linear("o_proj", true);
  }
  at::Tensor forward(const mortise::BlockInput& in) override {
    MORTISE_CHECK(!in.prefix_k_BGPK.defined(), "@NAME@ takes no prefix");
    const int64_t tokens = in.x_BTD.size(1), past = in.cache == nullptr ? 0 : in.cache->length();
    at::Tensor k = (*k_)(in.x_BTD), v = (*v_)(in.x_BTD);
    if (in.cache != nullptr) {
      auto [all_k, all_v] = in.cache->append(layer_, k.unsqueeze(2), v.unsqueeze(2));
      k = all_k.squeeze(2), v = all_v.squeeze(2);
    }
    at::Tensor visible = at::ones({tokens, k.size(1)}, at::kBool).tril(past).unsqueeze(0);
    if (in.segments_BT.defined()) visible = visible.logical_and(in.segments_BT.unsqueeze(2) == in.segments_BT.unsqueeze(1));
    const at::Tensor scores = at::matmul((*q_)(in.x_BTD), k.transpose(1, 2)) * scale_;
    return (*o_)(at::matmul(at::softmax(scores.masked_fill(visible.logical_not(), -1e9), -1), v));
  }
  int64_t layer_;
  double scale_;
  std::shared_ptr<mortise::Linear> q_, k_, v_, o_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "one causal head"));
