// SwiGLU's product (Shazeer 2020, arXiv:2002.05202): silu(gate) · up, one pass each way; backward
// recomputes the sigmoid.
#include "mortise/torch/ops.hpp"

#include "autograd.hpp"

namespace mortise::ops {

namespace {

constexpr int64_t kBlock = 1 << 14;  // elements

struct SwiGlu : torch::autograd::Function<SwiGlu> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& gate_in,
                            const at::Tensor& up_in) {
    const at::Tensor gate = gate_in.contiguous(), up = up_in.contiguous();
    at::Tensor y = at::empty_like(gate);
    with_rows(gate.scalar_type(), [&]<class T>(const RowKernels<T>& kernel) {
      const T *g = elements<T>(gate), *u = elements<T>(up);
      T* out = elements_to_write<T>(y);
      for_blocks(gate.numel(), kBlock, [&](int64_t, int64_t begin, int64_t end) {
        kernel.swiglu(g + begin, u + begin, out + begin, end - begin);
      });
    });
    context->save_for_backward({gate, up});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor gy = grads[0].contiguous();
    at::Tensor ggate = at::empty_like(gy), gup = at::empty_like(gy);
    with_rows(gy.scalar_type(), [&]<class T>(const RowKernels<T>& kernel) {
      const T *d = elements<T>(gy), *g = elements<T>(saved[0]), *u = elements<T>(saved[1]);
      T *out_gate = elements_to_write<T>(ggate), *out_up = elements_to_write<T>(gup);
      for_blocks(gy.numel(), kBlock, [&](int64_t, int64_t begin, int64_t end) {
        kernel.swiglu_backward(
            d + begin, g + begin, u + begin, out_gate + begin, out_up + begin, end - begin);
      });
    });
    return {ggate, gup};
  }
};

}  // namespace

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  TORCH_CHECK(gate.sizes() == up.sizes(),
              "swiglu: gate and up differ in shape: ",
              gate.sizes(),
              " and ",
              up.sizes());
  MORTISE_PROFILED("swiglu");
  if (!is_fusable({&gate, &up})) return eager::swiglu(gate, up);
  return SwiGlu::apply(gate, up);
}

}  // namespace mortise::ops
