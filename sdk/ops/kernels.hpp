// The dispatch table of the SDK's CPU kernels: raw loops over rows, one copy per instruction set.
//
// Rows are of fp32, bf16 or fp16: 16-bit elements are widened as they are loaded, all arithmetic is
// fp32 in registers, and a result is rounded once, to nearest even, as it is stored.
//
// The variants are compiled from one text (kernels_body.hpp) for x86-64-v2, AVX2 and AVX-512; the
// best one that this processor has is chosen once, at run time.  Raw pointers only: no ATen and no
// STL in the files compiled for more than the base, so that no inline code of theirs leaks into
// other translation units (ODR).
#pragma once

#include <cstdint>

namespace mortise::ops {

/// Shape of one document of one kv head for attention: L tokens, H query heads share one kv head.
/// Strides are in floats between neighbouring tokens; query heads of the group are `head_dim`
/// apart.  A token sees `window` keys, its own included; 0: all before it.
struct DocumentShape {
  int64_t length, heads, head_dim;
  int64_t q_stride, kv_stride;
  float scale;
  int64_t window;
};

/// 16-bit elements as they stand in memory.
struct Bf16 {
  uint16_t bits;
};

struct Half {
  uint16_t bits;
};

/// Loops over rows of T.  Weights are of the rows' type; statistics, tables and sums are fp32.
template <class T>
struct RowKernels {
  /// y = x · inv_rms · w for `rows` rows of `width`; stores inv_rms per row.
  void (*rms_norm)(
      const T* x, const T* w, T* y, float* inv_rms, int64_t rows, int64_t width, float eps);
  /// sum = x + residual, rounded; y = the norm of the rounded sum.
  void (*add_rms_norm)(const T* x,
                       const T* residual,
                       const T* w,
                       T* sum,
                       T* y,
                       float* inv_rms,
                       int64_t rows,
                       int64_t width,
                       float eps);
  /// gx = gradient of x, plus `more` (null: nothing); adds the gradient of w to gw.
  void (*rms_norm_backward)(const T* gy,
                            const T* x,
                            const T* w,
                            const float* inv_rms,
                            const T* more,
                            T* gx,
                            float* gw,
                            int64_t rows,
                            int64_t width);
  /// Rotates `heads` heads of one token: y = (a·c − b·s, b·c + a·s); sign −1 rotates back.
  void (*rope)(const T* x,
               const float* cos,
               const float* sin,
               T* y,
               int64_t heads,
               int64_t head_dim,
               float sign);
  void (*swiglu)(const T* gate, const T* up, T* y, int64_t n);
  void (*swiglu_backward)(const T* gy, const T* gate, const T* up, T* ggate, T* gup, int64_t n);
  void (*widen)(const T* x, float* y, int64_t n);
  void (*narrow)(const float* x, T* y, int64_t n);
};

struct Kernels {
  const char* name;
  RowKernels<float> fp32;
  RowKernels<Bf16> bf16;
  RowKernels<Half> fp16;
  /// Turns a row of logits into the gradient of its cross-entropy in place; returns the loss and
  /// its z part.
  void (*cross_entropy_row)(float* logits,
                            int64_t vocab,
                            int64_t target,
                            float smoothing,
                            float z_loss,
                            float* loss,
                            float* z);
  /// log-sum-exp of a row.
  float (*log_sum_exp)(const float* row, int64_t n);
  /// Causal attention of one document: o like q; lse [heads, L].  scratch: attention_scratch()
  /// floats.
  void (*attention)(const DocumentShape& s,
                    const float* q,
                    const float* k,
                    const float* v,
                    float* o,
                    float* lse,
                    float* scratch);
  /// Gradients of the same; gk and gv of the document are written, not added to.
  void (*attention_backward)(const DocumentShape& s,
                             const float* q,
                             const float* k,
                             const float* v,
                             const float* o,
                             const float* go,
                             const float* lse,
                             float* gq,
                             float* gk,
                             float* gv,
                             float* scratch);
};

/// Floats of scratch that both attention kernels need for a document.
inline int64_t attention_scratch(int64_t length, int64_t head_dim) {
  const int64_t padded = (length + 15) / 16 * 16;
  return 2 * head_dim * padded + 64 * padded;  // two transposed matrices, two strips of 32 rows
}

/// The kernels of this processor.   Thread: [any-thread].
const Kernels& kernels();

const Kernels& kernels_base();
const Kernels& kernels_avx2();
const Kernels& kernels_avx512();

}  // namespace mortise::ops
