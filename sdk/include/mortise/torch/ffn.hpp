// Interface `ffn`: transforms each token by itself.
#pragma once

#include "mortise/host.hpp"
#include "mortise/torch/linear.hpp"

namespace mortise {

struct FfnArgs {
  BuildContext build;
  int64_t width = 0;
};

class MORTISE_API Ffn : public Module {
 public:
  using Interface = Ffn;
  using Args = FfnArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "ffn/1.0";

  static std::string layout() {
    return layout_fingerprint(
        {MORTISE_TENSOR_TYPES, MORTISE_TYPE(FfnArgs), MORTISE_MEMBER(FfnArgs, width)});
  }

  /// Shapes: x_…D → …D.   Thread: [train-thread].
  virtual at::Tensor forward(const at::Tensor& x) = 0;
};

}  // namespace mortise
