// Interface `head`: hidden states → scores over the vocabulary.
#pragma once

#include <optional>

#include "mortise/host.hpp"
#include "mortise/torch/module.hpp"

namespace mortise {

struct HeadArgs {
  BuildContext build;
  int64_t vocab = 0;
  int64_t width = 0;
  at::Tensor embedding_VD;     // what a tied head uses
  std::string embedding_path;  // and who owns it: "model.embed_tokens.weight"
};

class MORTISE_API Head : public Module {
 public:
  using Interface = Head;
  using Args = HeadArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "head/1.0";

  /// A head that is one dense product, which objectives may fuse with their loss.
  struct Dense {
    at::Tensor weight_VD;
    at::Tensor bias_V;  // undefined: none
  };

  static std::string layout() {
    return layout_fingerprint({MORTISE_TENSOR_TYPES,
                               MORTISE_TYPE(HeadArgs),
                               MORTISE_MEMBER(HeadArgs, embedding_path),
                               MORTISE_TYPE(Dense)});
  }

  /// Shapes: hidden_ND → logits_NV.  N is a chunk: objectives never ask for all tokens at once.
  /// Thread: [train-thread].
  virtual at::Tensor logits(const at::Tensor& hidden_ND) = 0;

  /// Nothing when the head is more than one dense weight (quantized, sharded, adapted).
  virtual std::optional<Dense> dense() const { return std::nullopt; }
};

}  // namespace mortise
