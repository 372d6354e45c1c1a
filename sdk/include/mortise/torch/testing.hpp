// Tools for the tests of objectives and heads: a head that is one matrix, and gradients by
// differences.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>

#include "mortise/torch/head.hpp"
#include "mortise/torch/objective.hpp"

namespace mortise::testing {

/// One dense product that does or does not say so; remembers its longest call.
class MatrixHead final : public Head {
 public:
  MatrixHead(at::Tensor weight_VD, bool tells) : weight_VD_(std::move(weight_VD)), tells_(tells) {}

  at::Tensor logits(const at::Tensor& hidden_ND) override {
    longest_ = std::max(longest_, hidden_ND.size(0));
    return hidden_ND.matmul(weight_VD_.t());
  }

  std::optional<Dense> dense() const override {
    return tells_ ? std::optional<Dense>(Dense{weight_VD_, {}}) : std::nullopt;
  }

  const at::Tensor& weight() const { return weight_VD_; }

  void set_weight(at::Tensor weight_VD) { weight_VD_ = std::move(weight_VD); }

  int64_t longest() const { return longest_; }

 private:
  at::Tensor weight_VD_;
  bool tells_;
  int64_t longest_ = 0;
};

/// The largest difference between `gradient` and central differences of `value` in the elements of
/// `point` (double, contiguous; changed in place and restored).
inline double gradient_error(at::Tensor point,
                             const at::Tensor& gradient,
                             const std::function<double()>& value,
                             double step = 1e-6) {
  double worst = 0;
  double* elements = point.data_ptr<double>();
  const at::Tensor dense = gradient.contiguous();
  for (int64_t i = 0; i < point.numel(); ++i) {
    const double before = elements[i];
    elements[i] = before + step;
    const double above = value();
    elements[i] = before - step;
    const double below = value();
    elements[i] = before;
    const double slope = (above - below) / (2 * step);
    worst = std::max(worst, std::abs(slope - dense.data_ptr<double>()[i]));
  }
  return worst;
}

/// Samples [from, from + count) of a batch whose tokens lie in order, numbered from 0: what a
/// smaller micro-batch would hold.
inline ObjectiveInput part_of(const ObjectiveInput& in, int64_t from, int64_t count) {
  ObjectiveInput out = in;
  const at::Tensor chosen_N = in.samples_N.ge(from).logical_and(in.samples_N.lt(from + count));
  const at::Tensor places_M = chosen_N.nonzero().squeeze(1);
  const auto pick = [&](const at::Tensor& t) {
    return t.defined() ? t.index_select(0, places_M) : t;
  };
  const auto cut = [&](const at::Tensor& t) { return t.defined() ? t.narrow(0, from, count) : t; };
  out.hidden_ND = pick(in.hidden_ND);
  out.targets_N = pick(in.targets_N);
  out.mask_N = pick(in.mask_N);
  out.samples_N = pick(in.samples_N).sub(from);
  out.labels_S = cut(in.labels_S);
  out.pairs_S = cut(in.pairs_S);
  out.chosen_S = cut(in.chosen_S);
  for (ReferenceHidden& reference : out.references) reference.hidden_ND = pick(reference.hidden_ND);
  return out;
}

}  // namespace mortise::testing
