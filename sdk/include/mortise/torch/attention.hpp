// Interface `attention`: mixes tokens.
#pragma once

#include "mortise/host.hpp"
#include "mortise/torch/block.hpp"

namespace mortise {

struct AttentionArgs {
  BuildContext build;
  int64_t width = 0;
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
};

}  // namespace mortise
