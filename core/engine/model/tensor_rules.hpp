// The two directions of an architecture's TensorRule, and element types of files ↔ LibTorch.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mortise/architecture.hpp"
#include "mortise/dtype.hpp"
#include "mortise/names.hpp"

namespace mortise::core {

/// Makes our tensor of theirs; works on meta tensors too, which is how shapes are checked before
/// data is read. Throws: c10::Error when the shapes do not allow the operation.
at::Tensor ours_from(const TensorRule& rule, const std::vector<at::Tensor>& theirs);

/// The inverse: their tensors, one per rule.theirs.  Of a Slice it is the piece, which save_weights
/// joins with the others along rule.dim and shapes as rule.stored.
std::vector<at::Tensor> theirs_from(const TensorRule& rule, const at::Tensor& ours);

/// Nothing for types that hold no weights of ours (8-bit floats, …).
std::optional<at::ScalarType> scalar_type(Dtype dtype);
Dtype file_dtype(at::ScalarType type);

}  // namespace mortise::core
