// Interface `norm`: normalises the last dimension.
#pragma once

#include "mortise/host.hpp"
#include "mortise/torch/module.hpp"

namespace mortise {

struct NormArgs {
  BuildContext build;
  int64_t width = 0;
};

class MORTISE_API Norm : public Module {
 public:
  using Interface = Norm;
  using Args = NormArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "norm/1.0";

  static std::string layout() {
    return layout_fingerprint(
        {MORTISE_TENSOR_TYPES, MORTISE_TYPE(NormArgs), MORTISE_MEMBER(NormArgs, width)});
  }

  /// Shapes: x_…D → …D, same dtype.  Statistics in fp32.   Thread: [train-thread].
  virtual at::Tensor forward(const at::Tensor& x) = 0;
};

}  // namespace mortise
