// Rotary position embedding (Su et al. 2021, arXiv:2104.09864), half-split layout as in Hugging
// Face LLaMA. A rotation's gradient is the rotation back.
#include "mortise/torch/ops.hpp"

#include "autograd.hpp"

namespace mortise::ops {

namespace {

at::Tensor rotate(const at::Tensor& x_in,
                  const at::Tensor& cos,
                  const at::Tensor& sin,
                  const at::Tensor& positions,
                  float sign) {
  const at::Tensor x = x_in.contiguous();
  at::Tensor y = at::empty_like(x);
  const int64_t heads = x.size(2), head_dim = x.size(3), half = head_dim / 2;
  const float *c = elements<float>(cos), *s = elements<float>(sin);
  const int64_t* position = positions.const_data_ptr<int64_t>();
  with_rows(x.scalar_type(), [&]<class T>(const RowKernels<T>& kernel) {
    const T* in = elements<T>(x);
    T* out = elements_to_write<T>(y);
    for_blocks(x.size(0) * x.size(1), 64, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t token = begin; token < end; ++token)
        kernel.rope(in + token * heads * head_dim,
                    c + position[token] * half,
                    s + position[token] * half,
                    out + token * heads * head_dim,
                    heads,
                    head_dim,
                    sign);
    });
  });
  return y;
}

struct Rope : torch::autograd::Function<Rope> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& cos,
                            const at::Tensor& sin,
                            const at::Tensor& positions) {
    context->save_for_backward({cos, sin, positions});
    return rotate(x, cos, sin, positions, 1);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    return {rotate(grads[0], saved[0], saved[1], saved[2], -1),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor rope(const at::Tensor& x_BTHK,
                const at::Tensor& cos,
                const at::Tensor& sin,
                const at::Tensor& positions_BT) {
  TORCH_CHECK(cos.size(1) * 2 == x_BTHK.size(3) && cos.sizes() == sin.sizes(),
              "rope: tables are for head width ",
              cos.size(1) * 2,
              ", got ",
              x_BTHK.size(3));
  MORTISE_PROFILED("rope");
  if (!is_fusable({&x_BTHK}) || cos.scalar_type() != at::kFloat || !is_fusable({&cos, &sin}))
    return eager::rope(x_BTHK, cos, sin, positions_BT);
  if (positions_BT.numel() > 0) {  // the kernel reads the table by position: never beyond its end
    const int64_t last = positions_BT.max().item<int64_t>(),
                  first = positions_BT.min().item<int64_t>();
    TORCH_CHECK(first >= 0 && last < cos.size(0),
                "rope: position ",
                first < 0 ? first : last,
                " is outside the table of ",
                cos.size(0));
  }
  return Rope::apply(x_BTHK, cos.contiguous(), sin.contiguous(), positions_BT.contiguous());
}

}  // namespace mortise::ops
