// Interface `position`: puts the position into queries and keys, or into the embeddings.
#pragma once

#include <utility>

#include "mortise/host.hpp"
#include "mortise/torch/module.hpp"

namespace mortise {

struct PositionArgs {
  BuildContext build;
  int64_t head_dim = 0;  // of the queries and keys that rotate() gets; 0 in an embedding
  int64_t width = 0;     // of the vectors that embed() gets; 0 in an attention
};

class MORTISE_API Position : public Module {
 public:
  using Interface = Position;
  using Args = PositionArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "position/1.0";

  static std::string layout() {
    return layout_fingerprint(
        {MORTISE_TENSOR_TYPES, MORTISE_TYPE(PositionArgs), MORTISE_MEMBER(PositionArgs, width)});
  }

  /// Shapes: q_BTHK, k_BTGK, positions_BT (int64) → the same shapes.  The arguments' storage may be
  /// reused for the result.  By default nothing changes.   Thread: [train-thread].
  virtual std::pair<at::Tensor, at::Tensor> rotate(const at::Tensor& q_BTHK,
                                                   const at::Tensor& k_BTGK,
                                                   const at::Tensor& /*positions_BT*/) {
    return {q_BTHK, k_BTGK};
  }

  /// Adds the position to embeddings.  Shapes: x_BTD, positions_BT (int64) → x_BTD.  By default
  /// nothing changes.   Thread: [train-thread].
  virtual at::Tensor embed(const at::Tensor& x_BTD, const at::Tensor& /*positions_BT*/) {
    return x_BTD;
  }
};

}  // namespace mortise
