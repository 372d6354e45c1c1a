// The choice of a matrix product, once per process.
#include "products.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "mortise/error.hpp"

#include "kernels.hpp"

namespace mortise::ops {

namespace {

// x·Wᵀ by oneDNN for fp32 tensors, and the same added to another tensor: operators of LibTorch that
// its compiler calls, without a header of their own.
using Text = std::string_view;
using Scalars = c10::List<std::optional<at::Scalar>>;
using Linear = at::Tensor(const at::Tensor&,
                          const at::Tensor&,
                          const std::optional<at::Tensor>&,
                          Text,
                          Scalars,
                          std::optional<Text>);
using LinearSum = at::Tensor(const at::Tensor&,
                             const at::Tensor&,
                             const at::Tensor&,
                             const std::optional<at::Tensor>&,
                             Text);

struct Operators {
  std::optional<c10::OperatorHandle> linear, linear_sum;

  Operators() {
    auto& dispatcher = c10::Dispatcher::singleton();
    linear = dispatcher.findSchema({"mkldnn::_linear_pointwise", ""});
    linear_sum = dispatcher.findSchema({"mkldnn::_linear_pointwise", "binary"});
  }
};

const Operators& operators() {
  static const Operators found;
  return found;
}

// Below the best instruction set (MORTISE_ISA) the other ways are taken, so that tests reach all.
bool has_avx512() { return Text(kernels().name) == "avx512"; }

bool has_bf16_products() {
  static const bool has = has_avx512() && __builtin_cpu_supports("avx512bf16");
  return has;
}

bool prefers_onednn() {
  static const bool prefers = has_avx512() && !__builtin_cpu_is("intel") &&
                              at::globalContext().hasMKL() && operators().linear.has_value() &&
                              operators().linear_sum.has_value();
  return prefers;
}

// A few rows are read faster by MKL's products of a vector.
constexpr int64_t kFewRows = 16;

// Odd sizes are those of texts and not of models: code for each of them would be compiled in vain.
bool takes_onednn(const at::Tensor& a, const at::Tensor& b) {
  const auto is_even = [](int64_t size) { return size > 0 && size % 8 == 0; };
  return a.scalar_type() == at::kFloat && a.device().is_cpu() && a.size(0) >= kFewRows &&
         is_even(a.size(0)) && is_even(a.size(1)) && is_even(b.size(1)) && prefers_onednn();
}

bool is_widened(const at::Tensor& a) {
  return a.device().is_cpu() && !keeps_dtype(a.scalar_type());
}

}  // namespace

bool keeps_dtype(at::ScalarType dtype) {
  return dtype == at::kBFloat16 ? has_bf16_products() : dtype != at::kHalf;
}

bool multiplies(at::ScalarType dtype) {
  return keeps_dtype(dtype) && !(dtype == at::kFloat && prefers_onednn());
}

int64_t padded_rows(int64_t rows, at::ScalarType dtype) {
  const bool compiles = dtype == at::kFloat ? prefers_onednn() : keeps_dtype(dtype);
  if (rows < kFewRows || !compiles) return rows;
  const int64_t step = rows < 64 ? 16 : rows < 512 ? 64 : 128;
  return (rows + step - 1) / step * step;
}

at::Tensor with_rows_padded(const at::Tensor& x, int64_t rows) {
  if (x.size(0) == rows) return x;
  at::Tensor out = at::empty({rows, x.size(1)}, x.options());
  out.narrow(0, 0, x.size(0)).copy_(x);
  out.narrow(0, x.size(0), rows - x.size(0)).zero_();
  return out;
}

at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  if (takes_onednn(a, b)) {
    static const auto linear = operators().linear->typed<Linear>();
    return linear.call(a, b.t(), std::nullopt, "none", Scalars(), std::nullopt);
  }
  if (!is_widened(a)) return at::mm(a, b);
  return product(a.to(at::kFloat), b.to(at::kFloat)).to(a.scalar_type());
}

void product_into(at::Tensor& out, const at::Tensor& a, const at::Tensor& b) {
  if (takes_onednn(a, b) || is_widened(a))
    out.copy_(product(a, b));
  else
    at::mm_out(out, a, b);
}

void add_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b) {
  if (is_widened(a)) {
    sum.add_(product(a.to(at::kFloat), b.to(at::kFloat)));
  } else if (takes_onednn(a, b)) {
    static const auto linear_sum = operators().linear_sum->typed<LinearSum>();
    sum = linear_sum.call(a, sum, b.t(), std::nullopt, "add");
  } else {
    sum.addmm_(a, b);
  }
}

void check_segments(const at::Tensor& x_MI,
                    const at::Tensor& weight_EOI,
                    std::span<const int64_t> borders) {
  MORTISE_CHECK(static_cast<int64_t>(borders.size()) == weight_EOI.size(0) + 1 &&
                    borders.front() == 0 && borders.back() == x_MI.size(0) &&
                    std::is_sorted(borders.begin(), borders.end()),
                "the segments of {} experts must cover {} rows, got {} borders from {} to {}",
                weight_EOI.size(0),
                x_MI.size(0),
                borders.size(),
                borders.front(),
                borders.back());
}

}  // namespace mortise::ops
