// Rows to their paths and back: a gather whose backward pass is a sum, and a weighted sum whose
// backward pass is a gather.
//
// ATen's index_add walks the rows one operation at a time; here the assignments are grouped by item
// (a counting sort), and every item is summed by one thread in the order of the list: one pass over
// memory, the same bits at any thread count.  fp32 and fp64 on the CPU, and 16-bit tensors as fp32;
// other tensors take ATen.
#include <algorithm>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "mortise/torch/parallel_for.hpp"
#include "mortise/torch/routing.hpp"

namespace mortise {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kGrain = 32;  // rows a thread takes at least

bool is_fast(const at::Tensor& x) {
  return x.device().is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble);
}

bool is_widened(const at::Tensor& x) {
  return x.device().is_cpu() && (x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf);
}

/// The assignments of item n stand at order[begin[n]] … order[begin[n + 1] − 1].
struct ByItem {
  std::vector<int64_t> begin, order;

  ByItem(const at::Tensor& item_M, int64_t num_items)
      : begin(static_cast<size_t>(num_items) + 1), order(static_cast<size_t>(item_M.size(0))) {
    const int64_t* item = item_M.const_data_ptr<int64_t>();
    for (size_t m = 0; m < order.size(); ++m) ++begin[static_cast<size_t>(item[m]) + 1];
    for (size_t n = 1; n < begin.size(); ++n) begin[n] += begin[n - 1];
    std::vector<int64_t> next(begin.begin(), begin.end() - 1);
    for (size_t m = 0; m < order.size(); ++m)
      order[static_cast<size_t>(next[static_cast<size_t>(item[m])]++)] = static_cast<int64_t>(m);
  }
};

/// y[n] = Σ w[m]·out[m]; w null: all 1.
template <class T>
void sum_items(const ByItem& by_item, const T* out, const T* w, T* y, int64_t width) {
  const auto items = static_cast<int64_t>(by_item.begin.size()) - 1;
  parallel_for(0, items, kGrain, [&](int64_t first, int64_t last) {
    for (int64_t n = first; n < last; ++n) {
      T* row = y + n * width;
      std::fill(row, row + width, T(0));
      for (int64_t i = by_item.begin[static_cast<size_t>(n)];
           i < by_item.begin[static_cast<size_t>(n) + 1];
           ++i) {
        const int64_t m = by_item.order[static_cast<size_t>(i)];
        const T factor = w == nullptr ? T(1) : w[m];
        const T* from = out + m * width;
        for (int64_t d = 0; d < width; ++d) row[d] += factor * from[d];
      }
    }
  });
}

/// grad_out[m] = w[m]·grad[item[m]] and grad_w[m] = out[m]·grad[item[m]].
template <class T>
void spread(const int64_t* item,
            const T* grad,
            const T* out,
            const T* w,
            T* grad_out,
            T* grad_w,
            int64_t assignments,
            int64_t width) {
  parallel_for(0, assignments, kGrain, [&](int64_t first, int64_t last) {
    for (int64_t m = first; m < last; ++m) {
      const T* from = grad + item[m] * width;
      const T *kept = out + m * width, factor = w[m];
      T* into = grad_out + m * width;
      T sums[8] = {};  // eight chains, so that the compiler may use wide registers
      int64_t d = 0;
      for (; d + 8 <= width; d += 8)
        for (int64_t lane = 0; lane < 8; ++lane) {
          into[d + lane] = factor * from[d + lane];
          sums[lane] += kept[d + lane] * from[d + lane];
        }
      for (; d < width; ++d) {
        into[d] = factor * from[d];
        sums[0] += kept[d] * from[d];
      }
      for (int64_t lane = 1; lane < 8; ++lane) sums[0] += sums[lane];
      grad_w[m] = sums[0];
    }
  });
}

at::Tensor summed(const at::Tensor& out_MD,
                  const at::Tensor& weight_M,
                  const at::Tensor& item_M,
                  int64_t num_items) {
  if (is_widened(out_MD))
    return summed(out_MD.to(at::kFloat), weight_M, item_M, num_items).to(out_MD.scalar_type());
  if (!is_fast(out_MD)) {
    const at::Tensor scaled =
        weight_M.defined() ? out_MD.to(weight_M.scalar_type()) * weight_M.unsqueeze(1) : out_MD;
    return at::zeros({num_items, out_MD.size(1)}, scaled.options())
        .index_add(0, item_M, scaled)
        .to(out_MD.scalar_type());
  }
  const at::Tensor rows = out_MD.contiguous(), items = item_M.contiguous();
  const at::Tensor weights =
      weight_M.defined() ? weight_M.to(out_MD.scalar_type()).contiguous() : weight_M;
  at::Tensor y_ND = at::empty({num_items, out_MD.size(1)}, out_MD.options());
  const ByItem by_item(items, num_items);
  const int64_t width = out_MD.size(1);
  AT_DISPATCH_FLOATING_TYPES(out_MD.scalar_type(), "combine_items", [&] {
    sum_items<scalar_t>(by_item,
                        rows.const_data_ptr<scalar_t>(),
                        weights.defined() ? weights.const_data_ptr<scalar_t>() : nullptr,
                        y_ND.mutable_data_ptr<scalar_t>(),
                        width);
  });
  return y_ND;
}

struct Gather : torch::autograd::Function<Gather> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x_ND,
                            const at::Tensor& item_M) {
    context->save_for_backward({item_M});
    context->saved_data["items"] = x_ND.size(0);
    return x_ND.index_select(0, item_M);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const at::Tensor item_M = context->get_saved_variables()[0];
    return {summed(grads[0], {}, item_M, context->saved_data["items"].toInt()), {}};
  }
};

struct Combine : torch::autograd::Function<Combine> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& out_MD,
                            const at::Tensor& weight_M,
                            const at::Tensor& item_M,
                            int64_t num_items) {
    context->save_for_backward({out_MD, weight_M, item_M});
    return summed(out_MD, weight_M, item_M, num_items);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &out_MD = saved[0], &weight_M = saved[1], &item_M = saved[2];
    if (!is_fast(out_MD)) {
      const at::Tensor grad_MD = grads[0].index_select(0, item_M);
      const at::Tensor wide_MD = grad_MD.to(weight_M.scalar_type());
      return {(wide_MD * weight_M.unsqueeze(1)).to(out_MD.scalar_type()),
              (wide_MD * out_MD.to(weight_M.scalar_type())).sum(1),
              {},
              {}};
    }
    const at::Tensor grad_ND = grads[0].contiguous(), rows_MD = out_MD.contiguous();
    const at::Tensor items = item_M.contiguous();
    const at::Tensor weights = weight_M.to(out_MD.scalar_type()).contiguous();
    at::Tensor grad_MD = at::empty(rows_MD.sizes(), rows_MD.options());
    at::Tensor grad_M = at::empty(weights.sizes(), weights.options());
    AT_DISPATCH_FLOATING_TYPES(out_MD.scalar_type(), "combine_items_backward", [&] {
      spread<scalar_t>(items.const_data_ptr<int64_t>(),
                       grad_ND.const_data_ptr<scalar_t>(),
                       rows_MD.const_data_ptr<scalar_t>(),
                       weights.const_data_ptr<scalar_t>(),
                       grad_MD.mutable_data_ptr<scalar_t>(),
                       grad_M.mutable_data_ptr<scalar_t>(),
                       rows_MD.size(0),
                       rows_MD.size(1));
    });
    return {grad_MD, grad_M.to(weight_M.scalar_type()), {}, {}};
  }
};

}  // namespace

at::Tensor gather_items(const at::Tensor& x_ND, const at::Tensor& item_M) {
  return Gather::apply(x_ND, item_M);
}

at::Tensor combine_items(const at::Tensor& out_MD,
                         const at::Tensor& weight_M,
                         const at::Tensor& item_M,
                         int64_t num_items) {
  return Combine::apply(out_MD, weight_M, item_M, num_items);
}

}  // namespace mortise
