// Causal attention inside each document of packed rows: no mask, no work between documents.
//
// One task per (document, kv head): keys and values are transposed once and serve all query heads
// of the group, and no two tasks write the same gradient, so the result does not depend on threads.
// With a window, strips of queries skip the keys that none of them sees.
// Backward recomputes the probabilities from the saved log-sum-exp (FlashAttention,
// arXiv:2205.14135, §3.1, without its tiling: documents fit in cache).
#include "mortise/torch/ops.hpp"

#include "autograd.hpp"
#include "kernels.hpp"

namespace mortise::ops {

namespace {

struct Geometry {
  int64_t documents, kv_heads, group, head_dim, window, longest = 0;
  const int64_t* offsets;

  Geometry(const at::Tensor& q, const at::Tensor& k, const at::Tensor& borders, int64_t keys)
      : documents(borders.numel() - 1),
        kv_heads(k.size(2)),
        group(q.size(2) / k.size(2)),
        head_dim(q.size(3)),
        window(keys),
        offsets(borders.const_data_ptr<int64_t>()) {
    for (int64_t d = 0; d < documents; ++d)
      longest = std::max(longest, offsets[d + 1] - offsets[d]);
  }

  DocumentShape shape(int64_t document, double scale) const {
    const int64_t length = offsets[document + 1] - offsets[document];
    return {length,
            group,
            head_dim,
            kv_heads * group * head_dim,
            kv_heads * head_dim,
            static_cast<float>(scale),
            window};
  }

  // Calls f(document, kv head, q offset, kv offset, lse offset, scratch) for every task.
  template <class F>
  void each_task(F f) const {
    const int64_t grain = longest < 256 ? 4 : 1;  // a few long ones still use all threads
    parallel_for(0, documents * kv_heads, grain, [&](int64_t begin, int64_t end) {
      static thread_local std::vector<float> scratch;  // kept: some hundred KiB a thread
      scratch.resize(
          std::max(scratch.size(), static_cast<size_t>(attention_scratch(longest, head_dim))));
      for (int64_t task = begin; task < end; ++task) {
        const int64_t document = task / kv_heads, head = task % kv_heads, token = offsets[document];
        const int64_t length = offsets[document + 1] - token;
        f(document,
          (token * kv_heads + head) * group * head_dim,
          (token * kv_heads + head) * head_dim,
          token * kv_heads * group + head * group * length,
          scratch.data());
      }
    });
  }
};

// The kernels are fp32; 16-bit inputs are saved as they came.
at::Tensor widened(const at::Tensor& x) { return x.to(at::kFloat).contiguous(); }

struct DocumentAttention : torch::autograd::Function<DocumentAttention> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& q_in,
                            const at::Tensor& k_in,
                            const at::Tensor& v_in,
                            const at::Tensor& offsets,
                            double scale,
                            int64_t window) {
    const at::Tensor q = widened(q_in), k = widened(k_in), v = widened(v_in);
    at::Tensor o = at::empty_like(q),
               lse = at::empty({q.size(0), q.size(1), q.size(2)}, q.options());
    const Geometry geometry(q, k, offsets, window);
    const float *pq = q.const_data_ptr<float>(), *pk = k.const_data_ptr<float>(),
                *pv = v.const_data_ptr<float>();
    float *po = o.data_ptr<float>(), *pl = lse.data_ptr<float>();
    geometry.each_task(
        [&](int64_t document, int64_t at_q, int64_t at_kv, int64_t at_lse, float* scratch) {
          kernels().attention(geometry.shape(document, scale),
                              pq + at_q,
                              pk + at_kv,
                              pv + at_kv,
                              po + at_q,
                              pl + at_lse,
                              scratch);
        });
    context->saved_data["scale"] = scale;
    context->saved_data["window"] = window;
    if (q_in.scalar_type() == at::kFloat) {
      context->save_for_backward({q, k, v, o, lse, offsets});
      return o;
    }
    const at::Tensor out = o.to(q_in.scalar_type());
    context->save_for_backward({q_in, k_in, v_in, out, lse, offsets});
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor q = widened(saved[0]), k = widened(saved[1]), v = widened(saved[2]),
                     o = widened(saved[3]), go = widened(grads[0]);
    at::Tensor gq = at::empty_like(q), gk = at::empty_like(k), gv = at::empty_like(v);
    const Geometry geometry(q, k, saved[5], context->saved_data["window"].toInt());
    const double scale = context->saved_data["scale"].toDouble();
    const float *pq = q.const_data_ptr<float>(), *pk = k.const_data_ptr<float>(),
                *pv = v.const_data_ptr<float>(), *po = o.const_data_ptr<float>(),
                *pl = saved[4].const_data_ptr<float>(), *pgo = go.const_data_ptr<float>();
    float *pgq = gq.data_ptr<float>(), *pgk = gk.data_ptr<float>(), *pgv = gv.data_ptr<float>();
    geometry.each_task(
        [&](int64_t document, int64_t at_q, int64_t at_kv, int64_t at_lse, float* scratch) {
          kernels().attention_backward(geometry.shape(document, scale),
                                       pq + at_q,
                                       pk + at_kv,
                                       pv + at_kv,
                                       po + at_q,
                                       pgo + at_q,
                                       pl + at_lse,
                                       pgq + at_q,
                                       pgk + at_kv,
                                       pgv + at_kv,
                                       scratch);
        });
    const at::ScalarType dtype = saved[0].scalar_type();
    return {gq.to(dtype), gk.to(dtype), gv.to(dtype), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor document_attention(const at::Tensor& q_BTHK,
                              const at::Tensor& k_BTGK,
                              const at::Tensor& v_BTGK,
                              const at::Tensor& offsets_S,
                              double scale,
                              int64_t window) {
  TORCH_CHECK(window >= 0, "attention: a window of ", window, " keys");
  TORCH_CHECK(q_BTHK.size(2) % k_BTGK.size(2) == 0,
              "attention: ",
              q_BTHK.size(2),
              " query heads are no multiple of ",
              k_BTGK.size(2),
              " kv heads");
  TORCH_CHECK(offsets_S.numel() > 0 && offsets_S[0].item<int64_t>() == 0 &&
                  offsets_S[-1].item<int64_t>() == q_BTHK.size(0) * q_BTHK.size(1),
              "attention: document borders must run from 0 to ",
              q_BTHK.size(0) * q_BTHK.size(1));
  MORTISE_PROFILED("document_attention");
  if (!is_fusable({&q_BTHK, &k_BTGK, &v_BTGK}))
    return eager::document_attention(q_BTHK, k_BTGK, v_BTGK, offsets_S, scale, window);
  return DocumentAttention::apply(q_BTHK, k_BTGK, v_BTGK, offsets_S.contiguous(), scale, window);
}

}  // namespace mortise::ops
