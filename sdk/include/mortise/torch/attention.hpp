// Interface `attention`: mixes tokens.
#pragma once

#include "mortise/host.hpp"
#include "mortise/torch/block.hpp"

namespace mortise {

struct AttentionArgs {
  BuildContext build;
  int64_t width = 0;
};

/// What one token leaves in a cache, and what a prefix must look like.
struct KvShape {
  int64_t kv_heads = 0;  // 0: it keeps no keys and values of this kind
  int64_t head_dim = 0;
};

class MORTISE_API Attention : public Module {
 public:
  using Interface = Attention;
  using Args = AttentionArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "attention/1.0";

  static std::string layout() {
    return layout_fingerprint(
        {MORTISE_BLOCK_TYPES, MORTISE_TYPE(AttentionArgs), MORTISE_MEMBER(AttentionArgs, width)});
  }

  /// Causal attention over in.x_BTD (already normalised), respecting segments, prefix and cache.
  /// Shapes: → x_BTD.   Thread: [train-thread].
  virtual at::Tensor forward(const BlockInput& in) = 0;

  /// Thread: [any-thread].
  virtual KvShape kv_shape() const { return {}; }
};

}  // namespace mortise
