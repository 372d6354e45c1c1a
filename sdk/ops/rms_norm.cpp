// RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467): y = w · x / sqrt(mean(x²) + eps), one pass
// each way. Backward, with r = 1/rms: gx = r·g·w − x·r³·mean(g·w·x);  gw = Σ_rows g·x·r.
#include "mortise/torch/ops.hpp"

#include "autograd.hpp"

namespace mortise::ops {

namespace {

constexpr int64_t kBlock = 64;  // rows

// Gradients of x, with `more` added when it is defined, and of the weight.  saved: x, weight,
// inv_rms.
std::pair<at::Tensor, at::Tensor> gradients(const variable_list& saved,
                                            const at::Tensor& gy_in,
                                            const at::Tensor& more_in) {
  const at::Tensor gy = gy_in.contiguous(),
                   more = more_in.defined() ? more_in.contiguous() : more_in;
  const int64_t width = gy.size(-1), rows = gy.numel() / std::max<int64_t>(1, width),
                blocks = (rows + kBlock - 1) / kBlock;
  at::Tensor gx = at::empty_like(gy),
             parts = empty_fp32({std::max<int64_t>(1, blocks), width}, gy).zero_();
  with_rows(gy.scalar_type(), [&]<class T>(const RowKernels<T>& kernel) {
    const T *g = elements<T>(gy), *x = elements<T>(saved[0]), *w = elements<T>(saved[1]),
            *extra = more.defined() ? elements<T>(more) : nullptr;
    const float* inv = saved[2].const_data_ptr<float>();
    T* out = elements_to_write<T>(gx);
    float* gw = parts.data_ptr<float>();
    for_blocks(rows, kBlock, [&](int64_t block, int64_t begin, int64_t end) {
      const int64_t at = begin * width;
      kernel.rms_norm_backward(g + at,
                               x + at,
                               w,
                               inv + begin,
                               extra == nullptr ? nullptr : extra + at,
                               out + at,
                               gw + block * width,
                               end - begin,
                               width);
    });
  });
  return {gx, sum_in_order(parts).to(gy.scalar_type())};
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x_in,
                            const at::Tensor& weight,
                            double eps) {
    const at::Tensor x = x_in.contiguous();
    const int64_t width = x.size(-1), rows = x.numel() / std::max<int64_t>(1, width);
    at::Tensor y = at::empty_like(x), inv_rms = empty_fp32({rows}, x);
    with_rows(x.scalar_type(), [&]<class T>(const RowKernels<T>& kernel) {
      const T *in = elements<T>(x), *w = elements<T>(weight);
      T* out = elements_to_write<T>(y);
      float* inv = inv_rms.data_ptr<float>();
      for_blocks(rows, kBlock, [&](int64_t, int64_t begin, int64_t end) {
        kernel.rms_norm(in + begin * width,
                        w,
                        out + begin * width,
                        inv + begin,
                        end - begin,
                        width,
                        static_cast<float>(eps));
      });
    });
    context->save_for_backward({x, weight, inv_rms});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto [gx, gw] = gradients(context->get_saved_variables(), grads[0], at::Tensor());
    return {gx, gw, at::Tensor()};
  }
};

// Two results: the sum, and its norm.
struct AddRmsNorm : torch::autograd::Function<AddRmsNorm> {
  static variable_list forward(AutogradContext* context,
                               const at::Tensor& x_in,
                               const at::Tensor& residual_in,
                               const at::Tensor& weight,
                               double eps) {
    const at::Tensor x = x_in.contiguous(), residual = residual_in.contiguous();
    const int64_t width = x.size(-1), rows = x.numel() / std::max<int64_t>(1, width);
    at::Tensor sum = at::empty_like(x), y = at::empty_like(x), inv_rms = empty_fp32({rows}, x);
    with_rows(x.scalar_type(), [&]<class T>(const RowKernels<T>& kernel) {
      const T *in = elements<T>(x), *other = elements<T>(residual), *w = elements<T>(weight);
      T *total = elements_to_write<T>(sum), *out = elements_to_write<T>(y);
      float* inv = inv_rms.data_ptr<float>();
      for_blocks(rows, kBlock, [&](int64_t, int64_t begin, int64_t end) {
        const int64_t at = begin * width;
        kernel.add_rms_norm(in + at,
                            other + at,
                            w,
                            total + at,
                            out + at,
                            inv + begin,
                            end - begin,
                            width,
                            static_cast<float>(eps));
      });
    });
    context->save_for_backward({sum, weight, inv_rms});
    return {sum, y};
  }

  // A result that nobody used has no gradient.
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    if (!grads[1].defined()) return {grads[0], grads[0], at::Tensor(), at::Tensor()};
    const auto [gx, gw] = gradients(context->get_saved_variables(), grads[1], grads[0]);
    return {gx, gx, gw, at::Tensor()};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  MORTISE_PROFILED("rms_norm");
  if (!is_fusable({&x, &weight})) return eager::rms_norm(x, weight, eps);
  return RmsNorm::apply(x, weight.contiguous(), eps);
}

std::pair<at::Tensor, at::Tensor> add_rms_norm(const at::Tensor& x,
                                               const at::Tensor& residual,
                                               const at::Tensor& weight,
                                               double eps) {
  TORCH_CHECK(x.sizes() == residual.sizes(),
              "add_rms_norm: the two differ in shape: ",
              x.sizes(),
              " and ",
              residual.sizes());
  MORTISE_PROFILED("add_rms_norm");
  if (!is_fusable({&x, &residual, &weight})) return eager::add_rms_norm(x, residual, weight, eps);
  const variable_list out = AddRmsNorm::apply(x, residual, weight.contiguous(), eps);
  return {out[0], out[1]};
}

}  // namespace mortise::ops
