// The text of all CPU kernels, included once by each kernels_<isa>.cpp with VECTOR_FLOATS set to the vector width.
//
// It is written on GCC's vector extensions, so the same lines become SSE, AVX2 or AVX-512 code, and sums are split over
// lanes explicitly: without -ffast-math a compiler may not do that.  exp is Cephes' expf (argument reduction by ln 2 in two
// parts, polynomial of degree 5; about 1 ulp).
#include <cstdint>

#include "kernels.hpp"

namespace mortise::ops {

namespace {

constexpr int64_t W = VECTOR_FLOATS;
typedef float Vec __attribute__((vector_size(VECTOR_FLOATS * 4), may_alias));
typedef float VecU __attribute__((vector_size(VECTOR_FLOATS * 4), aligned(4), may_alias));
typedef int32_t IVec __attribute__((vector_size(VECTOR_FLOATS * 4), may_alias));

inline Vec load(const float* p) { return *reinterpret_cast<const VecU*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<VecU*>(p) = v; }
inline Vec splat(float x) { return x - Vec{}; }

inline float sum(Vec v) {
  float total = 0;
  for (int64_t lane = 0; lane < W; ++lane) total += v[lane];
  return total;
}

inline float largest(Vec v) {
  float best = v[0];
  for (int64_t lane = 1; lane < W; ++lane) best = v[lane] > best ? v[lane] : best;
  return best;
}

inline Vec exp_vec(Vec x) {
  const Vec low = splat(-87.33654f), high = splat(88.37626f);
  const auto underflow = x < low;
  x = x > high ? high : x;
  x = underflow ? low : x;
  const Vec magic = splat(12582912.0f);  // 1.5 · 2²³: adding it rounds to the nearest integer
  const Vec n = (x * 1.44269504088896341f + magic) - magic;
  const Vec r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  Vec p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const IVec exponent = (__builtin_convertvector(n, IVec) + 127) << 23;
  const Vec result = p * reinterpret_cast<const Vec&>(exponent);
  return underflow ? Vec{} : result;
}

// The tail of a row is handled by one masked-in vector: lanes beyond the end read `fill`.
inline Vec load_tail(const float* p, int64_t n, float fill) {
  Vec v = splat(fill);
  for (int64_t lane = 0; lane < n; ++lane) v[lane] = p[lane];
  return v;
}

inline void store_tail(float* p, int64_t n, Vec v) {
  for (int64_t lane = 0; lane < n; ++lane) p[lane] = v[lane];
}

// Calls body(vector_load, vector_store_target…) over [0, n): f(i, count) with count == W except for the tail.
template <class Full, class Tail>
inline void each(int64_t n, Full full, Tail tail) {
  int64_t i = 0;
  for (; i + W <= n; i += W) full(i);
  if (i < n) tail(i, n - i);
}

template <class F>
inline void each_load(int64_t n, F f) {  // f(i, load function)
  each(
      n, [&](int64_t i) { f(i, [](const float* p, float) { return load(p); }, [](float* p, Vec v) { store(p, v); }); },
      [&](int64_t i, int64_t count) {
        f(i, [count](const float* p, float fill) { return load_tail(p, count, fill); }, [count](float* p, Vec v) { store_tail(p, count, v); });
      });
}

void rms_norm(const float* x, const float* w, float* y, float* inv_rms, int64_t rows, int64_t width, float eps) {
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    Vec squares{};
    each_load(width, [&](int64_t i, auto get, auto) {
      const Vec v = get(x + i, 0);
      squares += v * v;
    });
    const float inv = 1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(width) + eps);
    inv_rms[row] = inv;
    each_load(width, [&](int64_t i, auto get, auto put) { put(y + i, get(w + i, 0) * (get(x + i, 0) * inv)); });
  }
}

void rms_norm_backward(const float* gy, const float* x, const float* w, const float* inv_rms, float* gx, float* gw, int64_t rows, int64_t width) {
  for (int64_t row = 0; row < rows; ++row, x += width, gy += width, gx += width) {
    const float inv = inv_rms[row];
    Vec dots{};
    each_load(width, [&](int64_t i, auto get, auto put) {
      const Vec g = get(gy + i, 0), v = get(x + i, 0);
      dots += g * get(w + i, 0) * v;
      put(gw + i, get(gw + i, 0) + g * (v * inv));
    });
    const float pull = sum(dots) * inv * inv * inv / static_cast<float>(width);
    each_load(width, [&](int64_t i, auto get, auto put) { put(gx + i, get(gy + i, 0) * get(w + i, 0) * inv - get(x + i, 0) * pull); });
  }
}

void rope(const float* x, const float* cos, const float* sin, float* y, int64_t heads, int64_t head_dim, float sign) {
  const int64_t half = head_dim / 2;
  for (int64_t head = 0; head < heads; ++head, x += head_dim, y += head_dim)
    each_load(half, [&](int64_t i, auto get, auto put) {
      const Vec a = get(x + i, 0), b = get(x + half + i, 0), c = get(cos + i, 0), s = get(sin + i, 0) * sign;
      put(y + i, a * c - b * s);
      put(y + half + i, b * c + a * s);
    });
}

inline Vec sigmoid(Vec x) { return 1.0f / (1.0f + exp_vec(-x)); }

void swiglu(const float* gate, const float* up, float* y, int64_t n) {
  each_load(n, [&](int64_t i, auto get, auto put) {
    const Vec g = get(gate + i, 0);
    put(y + i, g * sigmoid(g) * get(up + i, 0));
  });
}

void swiglu_backward(const float* gy, const float* gate, const float* up, float* ggate, float* gup, int64_t n) {
  each_load(n, [&](int64_t i, auto get, auto put) {
    const Vec g = get(gate + i, 0), u = get(up + i, 0), d = get(gy + i, 0), s = sigmoid(g);
    put(gup + i, d * g * s);
    put(ggate + i, d * u * s * (1.0f + g * (1.0f - s)));
  });
}

float row_max(const float* row, int64_t n) {
  Vec best = splat(-__builtin_inff());
  each_load(n, [&](int64_t i, auto get, auto) {
    const Vec v = get(row + i, -__builtin_inff());
    best = v > best ? v : best;
  });
  return largest(best);
}

float log_sum_exp(const float* row, int64_t n) {
  const float top = row_max(row, n);
  Vec total{};
  each_load(n, [&](int64_t i, auto get, auto) { total += exp_vec(get(row + i, -__builtin_inff()) - top); });
  return top + __builtin_logf(sum(total));
}

// loss = lse − (1−ε)·x_t − ε·mean(x) + z·lse²;  gradient = p·(1 + 2·z·lse) − ε/V − (1−ε)·[j = t].
void cross_entropy_row(float* logits, int64_t vocab, int64_t target, float smoothing, float z_loss, float* loss, float* z) {
  const float top = row_max(logits, vocab), target_logit = logits[target];
  Vec total{}, plain{};
  each_load(vocab, [&](int64_t i, auto get, auto put) {
    if (smoothing > 0) plain += get(logits + i, 0);
    const Vec e = exp_vec(get(logits + i, -__builtin_inff()) - top);
    total += e;
    put(logits + i, e);
  });
  const float denominator = sum(total), lse = top + __builtin_logf(denominator);
  *z = z_loss * lse * lse;
  *loss = lse - (1 - smoothing) * target_logit - smoothing * sum(plain) / static_cast<float>(vocab) + *z;
  const float factor = (1 + 2 * z_loss * lse) / denominator, even = smoothing / static_cast<float>(vocab);
  each_load(vocab, [&](int64_t i, auto get, auto put) { put(logits + i, get(logits + i, 0) * factor - even); });
  logits[target] -= 1 - smoothing;
}

// dst[d][j] = src[j][d], rows of dst padded to a multiple of 16 with zeros.
void transpose_into(const float* src, int64_t stride, int64_t length, int64_t dim, int64_t padded, float* dst) {
  for (int64_t d = 0; d < dim; ++d)
    for (int64_t j = length; j < padded; ++j) dst[d * padded + j] = 0;
  for (int64_t j = 0; j < length; ++j)
    for (int64_t d = 0; d < dim; ++d) dst[d * padded + j] = src[j * stride + d];
}

// row[j] = Σ_d x[d]·matrix[d][j] for j < count, in whole vectors (the padding is written too).
inline void row_times(const float* x, const float* matrix, int64_t dim, int64_t padded, int64_t count, float* row) {
  int64_t j = 0;
  for (; j + 2 * W <= count + W; j += 2 * W) {
    if (j + 2 * W > padded) break;
    Vec a{}, b{};
    for (int64_t d = 0; d < dim; ++d) {
      const float* m = matrix + d * padded + j;
      a += x[d] * load(m);
      b += x[d] * load(m + W);
    }
    store(row + j, a);
    store(row + j + W, b);
  }
  for (; j < count; j += W) {
    Vec a{};
    for (int64_t d = 0; d < dim; ++d) a += x[d] * load(matrix + d * padded + j);
    store(row + j, a);
  }
}

// out[d] (+)= Σ_j row[j]·matrix[j·stride + d], for j < count.
inline void weighted_rows(const float* row, const float* matrix, int64_t stride, int64_t count, int64_t dim, float* out) {
  each_load(dim, [&](int64_t i, auto get, auto put) {
    Vec a{};
    for (int64_t j = 0; j < count; ++j) a += row[j] * get(matrix + j * stride + i, 0);
    put(out + i, a);
  });
}

// The probabilities of query i over keys 0…i, from scores in `row`; returns the log-sum-exp.
inline float softmax_row(float* row, int64_t count) {
  const float lse = log_sum_exp(row, count);
  each_load(count, [&](int64_t j, auto get, auto put) { put(row + j, exp_vec(get(row + j, -__builtin_inff()) - lse)); });
  return lse;
}

inline void scale_row(float* row, int64_t count, float scale) {
  each_load(count, [&](int64_t j, auto get, auto put) { put(row + j, get(row + j, 0) * scale); });
}

void attention(const DocumentShape& s, const float* q, const float* k, const float* v, float* o, float* lse, float* scratch) {
  const int64_t padded = (s.length + 15) / 16 * 16;
  float* keys = scratch;
  float* row = keys + s.head_dim * padded;
  transpose_into(k, s.kv_stride, s.length, s.head_dim, padded, keys);
  for (int64_t head = 0; head < s.heads; ++head)
    for (int64_t i = 0; i < s.length; ++i) {
      const int64_t at = i * s.q_stride + head * s.head_dim;
      row_times(q + at, keys, s.head_dim, padded, i + 1, row);
      scale_row(row, i + 1, s.scale);
      lse[head * s.length + i] = softmax_row(row, i + 1);
      weighted_rows(row, v, s.kv_stride, i + 1, s.head_dim, o + at);
    }
}

void attention_backward(const DocumentShape& s, const float* q, const float* k, const float* v, const float* o, const float* go, const float* lse,
                        float* gq, float* gk, float* gv, float* scratch) {
  const int64_t padded = (s.length + 15) / 16 * 16;
  float* keys = scratch;
  float* values = keys + s.head_dim * padded;
  float* p = values + s.head_dim * padded;
  float* ds = p + padded;
  transpose_into(k, s.kv_stride, s.length, s.head_dim, padded, keys);
  transpose_into(v, s.kv_stride, s.length, s.head_dim, padded, values);
  for (int64_t j = 0; j < s.length; ++j)
    for (int64_t d = 0; d < s.head_dim; ++d) gk[j * s.kv_stride + d] = gv[j * s.kv_stride + d] = 0;
  for (int64_t head = 0; head < s.heads; ++head)
    for (int64_t i = 0; i < s.length; ++i) {
      const int64_t at = i * s.q_stride + head * s.head_dim, count = i + 1;
      Vec products{};
      each_load(s.head_dim, [&](int64_t d, auto get, auto) { products += get(o + at + d, 0) * get(go + at + d, 0); });
      const float delta = sum(products), row_lse = lse[head * s.length + i];
      row_times(q + at, keys, s.head_dim, padded, count, p);
      row_times(go + at, values, s.head_dim, padded, count, ds);
      each_load(count, [&](int64_t j, auto get, auto put) {
        const Vec probability = exp_vec(get(p + j, -__builtin_inff()) * s.scale - row_lse);
        put(p + j, probability);
        put(ds + j, probability * (get(ds + j, 0) - delta) * s.scale);
      });
      weighted_rows(ds, k, s.kv_stride, count, s.head_dim, gq + at);
      for (int64_t j = 0; j < count; ++j)
        each_load(s.head_dim, [&](int64_t d, auto get, auto put) {
          float* gkj = gk + j * s.kv_stride + d;
          float* gvj = gv + j * s.kv_stride + d;
          put(gkj, get(gkj, 0) + ds[j] * get(q + at + d, 0));
          put(gvj, get(gvj, 0) + p[j] * get(go + at + d, 0));
        });
    }
}

constexpr Kernels table(const char* name) {
  return {name, &rms_norm, &rms_norm_backward, &rope, &swiglu, &swiglu_backward, &cross_entropy_row, &log_sum_exp, &attention, &attention_backward};
}

}  // namespace

}  // namespace mortise::ops
