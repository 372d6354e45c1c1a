// TensorRule in both directions.  Every operation is a view or one copy, and exactly invertible.
#include "mortise/torch/tensor_rules.hpp"

#include <ATen/ATen.h>

#include "mortise/error.hpp"

namespace mortise {

namespace {

std::vector<int64_t> inverse_order(const std::vector<int64_t>& order) {
  std::vector<int64_t> inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i)
    inverse.at(static_cast<size_t>(order[i])) = static_cast<int64_t>(i);
  return inverse;
}

std::vector<int64_t> permuted(const std::vector<int64_t>& view, const std::vector<int64_t>& order) {
  std::vector<int64_t> out;
  for (const int64_t axis : order) out.push_back(view.at(static_cast<size_t>(axis)));
  return out;
}

at::Tensor cut(const TensorRule& rule, at::Tensor x) {
  if (!rule.view.empty()) x = x.view(rule.view);
  x = x.narrow(rule.dim, rule.begin, rule.sizes.at(0));
  if (!rule.order.empty()) x = x.permute(rule.order);
  return rule.shape.empty() ? x : x.reshape(rule.shape);
}

}  // namespace

at::Tensor ours_from(const TensorRule& rule, const std::vector<at::Tensor>& theirs) {
  switch (rule.op) {
    case TensorRule::Op::Rename:
      return theirs.at(0);
    case TensorRule::Op::Concat:
      return at::cat(theirs, rule.dim);
    case TensorRule::Op::Stack:
      return at::stack(theirs, rule.dim);
    case TensorRule::Op::Slice:
      return cut(rule, theirs.at(0));
    case TensorRule::Op::Transpose:
      return theirs.at(0).t();
    case TensorRule::Op::Permute:
      return theirs.at(0).view(rule.view).permute(rule.order).reshape(theirs.at(0).sizes());
  }
  MORTISE_ASSERT(false, "unknown operation of a tensor rule");
  return {};
}

std::vector<at::Tensor> theirs_from(const TensorRule& rule, const at::Tensor& ours) {
  switch (rule.op) {
    case TensorRule::Op::Rename:
      return {ours};
    case TensorRule::Op::Concat:
      return ours.split_with_sizes(rule.sizes, rule.dim);
    case TensorRule::Op::Stack:
      return ours.unbind(rule.dim);
    case TensorRule::Op::Transpose:
      return {ours.t()};
    case TensorRule::Op::Permute:
      return {ours.reshape(permuted(rule.view, rule.order))
                  .permute(inverse_order(rule.order))
                  .reshape(ours.sizes())};
    case TensorRule::Op::Slice: {
      if (rule.view.empty())
        return {rule.order.empty() ? ours : ours.permute(inverse_order(rule.order))};
      std::vector<int64_t> view = rule.view;
      view.at(static_cast<size_t>(rule.dim)) = rule.sizes.at(0);
      if (rule.order.empty()) return {ours.reshape(view)};
      return {ours.reshape(permuted(view, rule.order)).permute(inverse_order(rule.order))};
    }
  }
  MORTISE_ASSERT(false, "unknown operation of a tensor rule");
  return {};
}

std::optional<at::ScalarType> scalar_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::F32:
      return at::kFloat;
    case Dtype::F16:
      return at::kHalf;
    case Dtype::BF16:
      return at::kBFloat16;
    case Dtype::F64:
      return at::kDouble;
    default:
      return std::nullopt;
  }
}

Dtype file_dtype(at::ScalarType type) {
  switch (type) {
    case at::kBool:
      return Dtype::Bool;
    case at::kByte:
      return Dtype::U8;
    case at::kChar:
      return Dtype::I8;
    case at::kShort:
      return Dtype::I16;
    case at::kInt:
      return Dtype::I32;
    case at::kLong:
      return Dtype::I64;
    case at::kHalf:
      return Dtype::F16;
    case at::kBFloat16:
      return Dtype::BF16;
    case at::kFloat:
      return Dtype::F32;
    case at::kDouble:
      return Dtype::F64;
    default:
      break;
  }
  throw Error(Code::Usage, fmt::format("tensors of type {} cannot be stored", c10::toString(type)));
}

}  // namespace mortise
