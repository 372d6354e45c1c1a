// SwiGLU's product (Shazeer 2020, arXiv:2002.05202): silu(gate) · up, one pass each way; backward
// recomputes the sigmoid.
#include "mortise/torch/ops.hpp"

#include "autograd.hpp"
#include "gated.hpp"

namespace mortise::ops {

namespace {

constexpr int64_t kBlock = 1 << 14;  // elements

struct SwiGlu : torch::autograd::Function<SwiGlu> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& gate_in,
                            const at::Tensor& up_in) {
    const at::Tensor gate = gate_in.contiguous(), up = up_in.contiguous();
    context->save_for_backward({gate, up});
    return gated(gate, up);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const auto [grad_gate, grad_up] = gated_backward(grads[0].contiguous(), saved[0], saved[1]);
    return {grad_gate, grad_up};
  }
};

}  // namespace

at::Tensor gated(const at::Tensor& gate, const at::Tensor& up) {
  at::Tensor y = at::empty_like(gate);
  with_rows(gate.scalar_type(), [&]<class T>(const RowKernels<T>& kernel) {
    const T *g = elements<T>(gate), *u = elements<T>(up);
    T* out = elements_to_write<T>(y);
    for_blocks(gate.numel(), kBlock, [&](int64_t, int64_t begin, int64_t end) {
      kernel.swiglu(g + begin, u + begin, out + begin, end - begin);
    });
  });
  return y;
}

std::pair<at::Tensor, at::Tensor> gated_backward(const at::Tensor& grad,
                                                 const at::Tensor& gate,
                                                 const at::Tensor& up) {
  at::Tensor grad_gate = at::empty_like(gate), grad_up = at::empty_like(up);
  with_rows(gate.scalar_type(), [&]<class T>(const RowKernels<T>& kernel) {
    const T *d = elements<T>(grad), *g = elements<T>(gate), *u = elements<T>(up);
    T *out_gate = elements_to_write<T>(grad_gate), *out_up = elements_to_write<T>(grad_up);
    for_blocks(gate.numel(), kBlock, [&](int64_t, int64_t begin, int64_t end) {
      kernel.swiglu_backward(
          d + begin, g + begin, u + begin, out_gate + begin, out_up + begin, end - begin);
    });
  });
  return {grad_gate, grad_up};
}

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
