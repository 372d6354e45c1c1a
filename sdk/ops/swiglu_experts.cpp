// SwiGLU experts with packed weights as one node of the graph.
//
// Rows arrive sorted by expert.  Each expert runs from end to end on its segment, so that gate, up
// and their product are still in cache for the next step; they are never put together into one
// matrix.  Where products compile code for each shape (products.hpp), a segment is padded with rows
// of zeros.  Backward computes silu(gate)·up again instead of keeping it, sums both parts of the
// gradient of x inside the second product, and zeroes only the gradients of experts without rows.
#include <utility>

#include "mortise/torch/ops.hpp"

#include "autograd.hpp"
#include "gated.hpp"
#include "products.hpp"

namespace mortise::ops {

namespace {

// The rows of one expert; the zeros after them change no sum.
at::Tensor padded(const at::Tensor& x_MD, int64_t begin, int64_t length) {
  return with_rows_padded(x_MD.narrow(0, begin, length), padded_rows(length, x_MD.scalar_type()));
}

struct SwigluExperts : torch::autograd::Function<SwigluExperts> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x_MD,
                            const at::Tensor& gate_EFD,
                            const at::Tensor& up_EFD,
                            const at::Tensor& down_EDF,
                            std::vector<int64_t> borders) {
    at::Tensor y_MD = at::empty({x_MD.size(0), down_EDF.size(1)}, x_MD.options());
    variable_list saved = {x_MD, gate_EFD, up_EFD, down_EDF};
    for (size_t e = 0; e + 1 < borders.size(); ++e) {
      const int64_t expert = static_cast<int64_t>(e), length = borders[e + 1] - borders[e];
      if (length == 0) continue;
      const at::Tensor x = padded(x_MD, borders[e], length);
      const at::Tensor gate = product(x, gate_EFD[expert].t()), up = product(x, up_EFD[expert].t());
      y_MD.narrow(0, borders[e], length)
          .copy_(product(gated(gate, up), down_EDF[expert].t()).narrow(0, 0, length));
      saved.insert(saved.end(), {gate, up});
    }
    context->save_for_backward(std::move(saved));
    context->saved_data["borders"] = std::move(borders);
    return y_MD;
  }

  // What the segments of the backward pass write.
  struct Gradients {
    at::Tensor x_MD, gate_EFD, up_EFD, down_EDF;
  };

  static void segment(const variable_list& saved,
                      int64_t expert,
                      const at::Tensor& gate,
                      const at::Tensor& up,
                      const at::Tensor& grad_MD,
                      int64_t begin,
                      int64_t length,
                      Gradients& out) {
    const at::Tensor x = padded(saved[0], begin, length), grad = padded(grad_MD, begin, length);
    const auto put = [expert](const at::Tensor& into, const at::Tensor& a, const at::Tensor& b) {
      if (!into.defined()) return;
      at::Tensor slice = into[expert];
      product_into(slice, a.t(), b);
    };
    put(out.down_EDF, grad, gated(gate, up));
    const auto [grad_gate, grad_up] = gated_backward(product(grad, saved[3][expert]), gate, up);
    put(out.gate_EFD, grad_gate, x);
    put(out.up_EFD, grad_up, x);
    if (!out.x_MD.defined()) return;
    at::Tensor grad_x = product(grad_gate, saved[1][expert]);
    add_product(grad_x, grad_up, saved[2][expert]);
    out.x_MD.narrow(0, begin, length).copy_(grad_x.narrow(0, 0, length));
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor grad_MD = grads[0].contiguous();
    const std::vector<int64_t> borders = context->saved_data["borders"].toIntVector();
    const auto wanted = [&](size_t i) {
      return context->needs_input_grad(i) ? at::empty_like(saved[i]) : at::Tensor();
    };
    Gradients out = {wanted(0), wanted(1), wanted(2), wanted(3)};
    size_t next = 4;
    for (size_t e = 0; e + 1 < borders.size(); ++e) {
      const int64_t expert = static_cast<int64_t>(e), length = borders[e + 1] - borders[e];
      if (length == 0) {
        for (const at::Tensor& gradient : {out.gate_EFD, out.up_EFD, out.down_EDF})
          if (gradient.defined()) gradient[expert].zero_();
        continue;
      }
      segment(saved, expert, saved[next], saved[next + 1], grad_MD, borders[e], length, out);
      next += 2;
    }
    return {out.x_MD, out.gate_EFD, out.up_EFD, out.down_EDF, at::Tensor()};
  }
};

}  // namespace

at::Tensor swiglu_experts(const at::Tensor& x_MD,
                          const at::Tensor& gate_EFD,
                          const at::Tensor& up_EFD,
                          const at::Tensor& down_EDF,
                          std::span<const int64_t> borders) {
  check_segments(x_MD, gate_EFD, borders);
  MORTISE_PROFILED("swiglu_experts");
  if (!is_fusable({&x_MD, &gate_EFD, &up_EFD, &down_EDF}))
    return eager::swiglu_experts(x_MD, gate_EFD, up_EFD, down_EDF, borders);
  return SwigluExperts::apply(x_MD.contiguous(),
                              gate_EFD,
                              up_EFD,
                              down_EDF,
                              std::vector<int64_t>(borders.begin(), borders.end()));
}

}  // namespace mortise::ops
