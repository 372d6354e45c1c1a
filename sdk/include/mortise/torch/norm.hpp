// Interface `norm`: normalises the last dimension.
#pragma once

#include <utility>

#include "mortise/host.hpp"
#include "mortise/torch/module.hpp"

namespace mortise {

struct NormArgs {
  BuildContext build;
  int64_t width = 0;
};

namespace ext {

/// A norm that makes the sum which it normalises: the residual stream passes through memory once.
class MORTISE_API AddNorm {
 public:
  static constexpr const char* kExtension = "norm.add/1";
  virtual ~AddNorm();
  /// {x + part, rounded to their dtype; what forward() gives for it}.
  /// Shapes: x_…D, part_…D → both …D.   Thread: [train-thread].
  virtual std::pair<at::Tensor, at::Tensor> add_forward(const at::Tensor& x,
                                                        const at::Tensor& part) = 0;
};

}  // namespace ext

class MORTISE_API Norm : public Module {
 public:
  using Interface = Norm;
  using Args = NormArgs;
  using Extensions = detail::ExtensionList<ext::AddNorm>;
  static constexpr const char* kInterface = "norm/1.0";

  static std::string layout() {
    return layout_fingerprint(
        {MORTISE_TENSOR_TYPES, MORTISE_TYPE(NormArgs), MORTISE_MEMBER(NormArgs, width)});
  }

  /// Shapes: x_…D → …D, same dtype.  Statistics in fp32.   Thread: [train-thread].
  virtual at::Tensor forward(const at::Tensor& x) = 0;
};

/// {x + part, its norm}: by ext::AddNorm where the norm has it.   Thread: [train-thread].
MORTISE_API std::pair<at::Tensor, at::Tensor> add_and_norm(Norm& norm,
                                                           const at::Tensor& x,
                                                           const at::Tensor& part);

}  // namespace mortise
