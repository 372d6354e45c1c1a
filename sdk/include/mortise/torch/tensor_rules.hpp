// The two directions of an architecture's TensorRule, and element types of files ↔ LibTorch.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mortise/api.hpp"
#include "mortise/architecture.hpp"
#include "mortise/dtype.hpp"

namespace mortise {

/// Makes our tensor of theirs; works on meta tensors too, which is how shapes are checked before
/// data is read. Throws: c10::Error when the shapes do not allow the operation.
MORTISE_API at::Tensor ours_from(const TensorRule& rule, const std::vector<at::Tensor>& theirs);

/// The inverse: their tensors, one per rule.theirs.  Of a Slice it is the piece, which save_weights
/// joins with the others along rule.dim and shapes as rule.stored.
MORTISE_API std::vector<at::Tensor> theirs_from(const TensorRule& rule, const at::Tensor& ours);

/// Nothing for types that hold no weights of ours (8-bit floats, …).
MORTISE_API std::optional<at::ScalarType> scalar_type(Dtype dtype);
MORTISE_API Dtype file_dtype(at::ScalarType type);

}  // namespace mortise
