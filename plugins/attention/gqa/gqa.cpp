// softmax(q·kᵀ / √K + mask) · v with H query heads on G key-value heads; query head h uses
// key-value head h / (H/G). Source: Ainslie et al., "GQA", arXiv:2305.13245.  U = keys in all:
// prefix, cached and new ones.
//
// Which product runs: packed documents without a prefix, short rows in training, and long ones
// with a window go to ops::document_attention (no mask in memory, and no work on keys that no query
// of a strip sees); one new token of each row sees everything, so it
// needs neither a mask nor repeated keys; the rest is SDPA.  SDPA's own is_causal is aligned to the
// top left: right only when there are as many keys as queries, so every other case (cached chunks,
// prefixes, packed rows, sliding windows) gets an explicit mask.  With a window (Mistral,
// arXiv:2310.06825, §2) query t sees keys t − window + 1 … t of its document and the whole prefix;
// the cache keeps no others.
#include "gqa.hpp"

#include <cmath>
#include <tuple>

#include <ATen/ATen.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/ops.hpp"

namespace mortise::attention::gqa {

namespace {

// Rows up to this length train faster as one document each than through SDPA
// (tests/bench/ops_bench.cpp).
constexpr int64_t kShortRow = 512;

// Short rows only where a gradient is wanted: without one, a forward stays on the path of the
// cached forward, to the last bits.  A window pays in every row that is much longer than it.
bool suits_documents(const at::Tensor& q_BTHK, int64_t window, bool is_cached) {
  if (q_BTHK.scalar_type() == at::kDouble || !q_BTHK.device().is_cpu()) return false;
  if (window > 0 && q_BTHK.size(1) > kShortRow) return true;
  return q_BTHK.requires_grad() && !is_cached && q_BTHK.size(1) <= kShortRow;
}

/// Says whether some document is longer than a window; then a mask is needed.
bool exceeds(int64_t window, const at::Tensor& offsets_S, int64_t keys) {
  if (window == 0 || keys <= window) return false;
  return !offsets_S.defined() || offsets_S.diff().max().item<int64_t>() > window;
}

/// Which key each query sees.  Shapes: → [B or 1, 1, T, prefix + past + T], bool.
at::Tensor visible_keys(const BlockInput& in, int64_t prefix, int64_t past, int64_t window) {
  const int64_t rows = in.x_BTD.size(0), tokens = in.x_BTD.size(1);
  const at::TensorOptions options = at::TensorOptions().dtype(at::kLong).device(in.x_BTD.device());
  const at::Tensor query_T1 = (at::arange(tokens, options) + past).unsqueeze(1);
  const at::Tensor key_1U = at::arange(past + tokens, options).unsqueeze(0);
  at::Tensor visible = (key_1U <= query_T1).unsqueeze(0);
  if (window > 0 && past + tokens > window)
    visible = visible.logical_and((key_1U > query_T1 - window).unsqueeze(0));
  if (in.offsets_S.defined()) {
    const at::Tensor index = at::arange(rows * tokens, options);
    const at::Tensor document_BT =
        at::searchsorted(in.offsets_S, index, /*out_int32=*/false, /*right=*/true)
            .view({rows, tokens});
    visible = visible.logical_and(document_BT.unsqueeze(2) == document_BT.unsqueeze(1));
  }
  if (prefix > 0)
    visible = at::cat({visible.new_ones({visible.size(0), tokens, prefix}), visible}, -1);
  return visible.unsqueeze(1);
}

/// Gives every query head its key-value head.  Shapes: x_BGUK → BHUK.
at::Tensor repeat_heads(const at::Tensor& x_BGUK, int64_t heads) {
  const int64_t groups = x_BGUK.size(1);
  if (groups == heads) return x_BGUK;
  return x_BGUK.unsqueeze(2)
      .expand({-1, -1, heads / groups, -1, -1})
      .reshape({x_BGUK.size(0), heads, x_BGUK.size(2), x_BGUK.size(3)});
}

at::Tensor eager_product(const at::Tensor& q_BHTK,
                         const at::Tensor& k_BHUK,
                         const at::Tensor& v_BHUK,
                         const at::Tensor& visible,
                         double scale) {
  const at::Tensor scores = at::matmul(q_BHTK, k_BHUK.transpose(-1, -2)) * scale;
  const at::Tensor masked = scores.masked_fill(visible.logical_not(), -INFINITY);
  return at::matmul(at::softmax(masked, -1, at::kFloat).to(q_BHTK.scalar_type()), v_BHUK);
}

}  // namespace

Gqa::Gqa(Config config, const AttentionArgs& args)
    : heads_(config.heads),
      kv_heads_(config.kv_heads.value_or(config.heads)),
      layer_(args.build.layer_index),
      window_(config.sliding_window.value_or(0)) {
  MORTISE_CHECK(heads_ > 0 && kv_heads_ > 0 && heads_ % kv_heads_ == 0,
                "kv_heads must divide heads, got {} and {}",
                kv_heads_,
                heads_);
  MORTISE_CHECK(
      config.head_dim || args.width % heads_ == 0,
      "width must be a multiple of heads unless head_dim is given, got width {} and heads {}",
      args.width,
      heads_);
  head_dim_ = config.head_dim.value_or(args.width / heads_);
  scale_ = 1 / std::sqrt(static_cast<double>(head_dim_));
  kernel_ = config.kernel == "eager"  ? Kernel::Eager
            : config.kernel == "sdpa" ? Kernel::Sdpa
                                      : Kernel::Auto;
  const auto linear = [&](int64_t in, int64_t out, bool bias, bool residual) {
    const LinearOptions options = {.bias = bias, .residual = residual};
    return std::make_shared<Linear>(args.build, in, out, options);
  };
  const int64_t query_width = heads_ * head_dim_, kv_width = kv_heads_ * head_dim_;
  q_ = add_child("q_proj", linear(args.width, query_width, config.bias, /*residual=*/false));
  k_ = add_child("k_proj", linear(args.width, kv_width, config.bias, /*residual=*/false));
  v_ = add_child("v_proj", linear(args.width, kv_width, config.bias, /*residual=*/false));
  o_ = add_child("o_proj", linear(query_width, args.width, config.output_bias, /*residual=*/true));
  if (!config.qk_norm.empty()) {
    const NormArgs norm_args = {args.build, head_dim_};
    q_norm_ = add_child("q_norm", std::shared_ptr<Norm>(config.qk_norm.make(norm_args)));
    k_norm_ = add_child("k_norm", std::shared_ptr<Norm>(config.qk_norm.make(norm_args)));
  }
  PositionArgs position;
  position.build = args.build;
  position.head_dim = head_dim_;
  position_ = add_child("rotary_emb", std::shared_ptr<Position>(config.position.make(position)));
}

at::Tensor Gqa::forward(const BlockInput& in) {
  const int64_t rows = in.x_BTD.size(0), tokens = in.x_BTD.size(1);
  const std::vector<at::Tensor> qkv = project(in.x_BTD, {q_.get(), k_.get(), v_.get()});
  at::Tensor q_BTHK = qkv[0].view({rows, tokens, heads_, head_dim_});
  at::Tensor k_BTGK = qkv[1].view({rows, tokens, kv_heads_, head_dim_});
  const at::Tensor v_BTGK = qkv[2].view({rows, tokens, kv_heads_, head_dim_});
  if (q_norm_ != nullptr) {
    q_BTHK = q_norm_->forward(q_BTHK);
    k_BTGK = k_norm_->forward(k_BTGK);
  }
  const at::Tensor positions_BT =
      in.prefix_k_BGPK.defined() ? in.positions_BT + in.prefix_k_BGPK.size(2) : in.positions_BT;
  std::tie(q_BTHK, k_BTGK) = position_->rotate(q_BTHK, k_BTGK, positions_BT);
  return (*o_)(attend(in, q_BTHK, k_BTGK, v_BTGK).reshape({rows, tokens, heads_ * head_dim_}));
}

at::Tensor Gqa::attend(const BlockInput& in,
                       const at::Tensor& q_BTHK,
                       at::Tensor k_BTGK,
                       at::Tensor v_BTGK) const {
  const int64_t rows = q_BTHK.size(0), tokens = q_BTHK.size(1);
  const bool is_packed = in.offsets_S.defined();
  const int64_t prefix = in.prefix_k_BGPK.defined() ? in.prefix_k_BGPK.size(2) : 0;
  int64_t past = in.cache == nullptr ? 0 : in.cache->length();
  if (in.cache != nullptr) {
    MORTISE_CHECK(!is_packed, "a cache serves one sequence a row, not packed documents");
    std::tie(k_BTGK, v_BTGK) = in.cache->append(layer_, k_BTGK, v_BTGK, window_);
    past = k_BTGK.size(1) - tokens;  // without those that no query of this call sees
  }
  if (kernel_ == Kernel::Auto && is_packed && prefix == 0)
    return ops::document_attention(q_BTHK, k_BTGK, v_BTGK, in.offsets_S, scale_, window_);
  const bool is_windowed = exceeds(window_, in.offsets_S, past + tokens);
  if (kernel_ == Kernel::Auto && prefix == 0 && past == 0 &&
      suits_documents(q_BTHK, is_windowed ? window_ : 0, in.cache != nullptr))
    return ops::document_attention(q_BTHK,
                                   k_BTGK,
                                   v_BTGK,
                                   at::arange(0, rows * tokens + 1, tokens, at::kLong),
                                   scale_,
                                   window_);

  at::Tensor k_BGUK = k_BTGK.transpose(1, 2), v_BGUK = v_BTGK.transpose(1, 2);
  if (prefix > 0) {
    const auto with_prefix = [rows](const at::Tensor& first, const at::Tensor& second) {
      return at::cat({first.expand({rows, -1, -1, -1}).to(second.scalar_type()), second}, 2);
    };
    k_BGUK = with_prefix(in.prefix_k_BGPK, k_BGUK);
    v_BGUK = with_prefix(in.prefix_v_BGPK, v_BGUK);
  }
  if (tokens == 1 && kernel_ != Kernel::Eager) return attend_one(q_BTHK, k_BGUK, v_BGUK);

  const bool is_plain =
      !is_packed && !is_windowed && prefix == 0 && past == 0 && kernel_ != Kernel::Eager;
  const at::Tensor q_BHTK = q_BTHK.transpose(1, 2);
  const at::Tensor k_BHUK = repeat_heads(k_BGUK, heads_), v_BHUK = repeat_heads(v_BGUK, heads_);
  if (is_plain)
    return at::scaled_dot_product_attention(
               q_BHTK, k_BHUK, v_BHUK, {}, /*dropout_p=*/0, /*is_causal=*/true, scale_)
        .transpose(1, 2);
  const at::Tensor visible = visible_keys(in, prefix, past, window_);
  if (kernel_ == Kernel::Eager)
    return eager_product(q_BHTK, k_BHUK, v_BHUK, visible, scale_).transpose(1, 2);
  return at::scaled_dot_product_attention(
             q_BHTK, k_BHUK, v_BHUK, visible, /*dropout_p=*/0, /*is_causal=*/false, scale_)
      .transpose(1, 2);
}

// The query heads of a group stand where tokens would: no key is repeated.
at::Tensor Gqa::attend_one(const at::Tensor& q_BTHK,
                           const at::Tensor& k_BGUK,
                           const at::Tensor& v_BGUK) const {
  const at::Tensor q_BGRK =
      q_BTHK.reshape({q_BTHK.size(0), kv_heads_, heads_ / kv_heads_, head_dim_});
  return at::scaled_dot_product_attention(
             q_BGRK, k_BGUK, v_BGUK, {}, /*dropout_p=*/0, /*is_causal=*/false, scale_)
      .reshape(q_BTHK.sizes());
}

void Gqa::Config::describe(Schema<Config>& schema) {
  schema.field("heads", &Config::heads, "query heads").required().min(1);
  schema.field("kv_heads", &Config::kv_heads, "key-value heads; absent: as many as heads").min(1);
  schema.field("head_dim", &Config::head_dim, "width of a head; absent: width / heads").min(1);
  schema.field("bias", &Config::bias, "biases of query, key and value");
  schema.field("output_bias", &Config::output_bias, "bias of the output projection");
  schema.field("position", &Config::position, "turns queries and keys");
  schema.field(
      "qk_norm", &Config::qk_norm, "of each query and key head before it is turned (Qwen3)");
  schema
      .field("sliding_window",
             &Config::sliding_window,
             "a query sees this many keys, its own included; absent: all")
      .min(1)
      .unit("tokens");
  schema
      .field("kernel", &Config::kernel, "how the product is computed; auto: the fastest that fits")
      .one_of({"auto", "eager", "sdpa"});
  schema.rule("heads % kv_heads == 0", "kv_heads must divide heads");
  schema.provides("varlen");
  schema.provides("prefix");
  schema.provides("kv_cache");
}

}  // namespace mortise::attention::gqa

MORTISE_PLUGIN("org.mortise.attention.gqa",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::attention::gqa::Gqa>(
                   "gqa", "causal attention with grouped key-value heads"));
