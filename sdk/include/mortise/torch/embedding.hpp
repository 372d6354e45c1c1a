// Interface `embedding`: token ids → vectors.
#pragma once

#include "mortise/host.hpp"
#include "mortise/torch/module.hpp"

namespace mortise {

struct EmbeddingArgs {
  BuildContext build;
  int64_t vocab = 0;
  int64_t width = 0;
};

class MORTISE_API Embedding : public Module {
 public:
  using Interface = Embedding;
  using Args = EmbeddingArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "embedding/1.0";

  static std::string layout() {
    return layout_fingerprint(
        {MORTISE_TENSOR_TYPES, MORTISE_TYPE(EmbeddingArgs), MORTISE_MEMBER(EmbeddingArgs, width)});
  }

  /// Shapes: ids_BT, positions_BT (int64) → x_BTD.   Thread: [train-thread].
  virtual at::Tensor forward(const at::Tensor& ids_BT, const at::Tensor& positions_BT) = 0;
  /// The matrix [V, D] that a tied head may share.
  virtual at::Tensor weight() const = 0;
};

}  // namespace mortise
