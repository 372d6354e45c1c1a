// Interface `position`: puts the position into queries and keys.
#pragma once

#include <utility>

#include "mortise/host.hpp"
#include "mortise/torch/module.hpp"

namespace mortise {

struct PositionArgs {
  BuildContext build;
  int64_t head_dim = 0;
};

class MORTISE_API Position : public Module {
 public:
  using Interface = Position;
  using Args = PositionArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "position/1.0";

  static std::string layout() {
    return layout_fingerprint(
        {MORTISE_TENSOR_TYPES, MORTISE_TYPE(PositionArgs), MORTISE_MEMBER(PositionArgs, head_dim)});
  }

  /// Shapes: q_BTHK, k_BTGK, positions_BT (int64) → the same shapes.  The arguments' storage may be
  /// reused for the result. Thread: [train-thread].
  virtual std::pair<at::Tensor, at::Tensor> rotate(const at::Tensor& q_BTHK,
                                                   const at::Tensor& k_BTGK,
                                                   const at::Tensor& positions_BT) = 0;
};

}  // namespace mortise
