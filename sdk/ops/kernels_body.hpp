// The text of all CPU kernels, included once by each kernels_<isa>.cpp with VECTOR_FLOATS set to
// the vector width.
//
// It is written on GCC's vector extensions, so the same lines become SSE, AVX2 or AVX-512 code, and
// sums are split over lanes explicitly: without -ffast-math a compiler may not do that.  exp is
// Cephes' expf (argument reduction by ln 2 in two parts, polynomial of degree 5; about 1 ulp).
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

// Calls body(vector_load, vector_store_target…) over [0, n): f(i, count) with count == W except for
// the tail.
template <class Full, class Tail>
inline void each(int64_t n, Full full, Tail tail) {
  int64_t i = 0;
  for (; i + W <= n; i += W) full(i);
  if (i < n) tail(i, n - i);
}

template <class F>
inline void each_load(int64_t n, F f) {  // f(i, load function)
  each(
      n,
      [&](int64_t i) {
        f(
            i, [](const float* p, float) { return load(p); }, [](float* p, Vec v) { store(p, v); });
      },
      [&](int64_t i, int64_t count) {
        f(
            i,
            [count](const float* p, float fill) { return load_tail(p, count, fill); },
            [count](float* p, Vec v) { store_tail(p, count, v); });
      });
}

void rms_norm(const float* x,
              const float* w,
              float* y,
              float* inv_rms,
              int64_t rows,
              int64_t width,
              float eps) {
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    Vec squares{};
    each_load(width, [&](int64_t i, auto get, auto) {
      const Vec v = get(x + i, 0);
      squares += v * v;
    });
    const float inv = 1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(width) + eps);
    inv_rms[row] = inv;
    each_load(width, [&](int64_t i, auto get, auto put) {
      put(y + i, get(w + i, 0) * (get(x + i, 0) * inv));
    });
  }
}

void rms_norm_backward(const float* gy,
                       const float* x,
                       const float* w,
                       const float* inv_rms,
                       float* gx,
                       float* gw,
                       int64_t rows,
                       int64_t width) {
  for (int64_t row = 0; row < rows; ++row, x += width, gy += width, gx += width) {
    const float inv = inv_rms[row];
    Vec dots{};
    each_load(width, [&](int64_t i, auto get, auto put) {
      const Vec g = get(gy + i, 0), v = get(x + i, 0);
      dots += g * get(w + i, 0) * v;
      put(gw + i, get(gw + i, 0) + g * (v * inv));
    });
    const float pull = sum(dots) * inv * inv * inv / static_cast<float>(width);
    each_load(width, [&](int64_t i, auto get, auto put) {
      put(gx + i, get(gy + i, 0) * get(w + i, 0) * inv - get(x + i, 0) * pull);
    });
  }
}

void rope(const float* x,
          const float* cos,
          const float* sin,
          float* y,
          int64_t heads,
          int64_t head_dim,
          float sign) {
  const int64_t half = head_dim / 2;
  for (int64_t head = 0; head < heads; ++head, x += head_dim, y += head_dim)
    each_load(half, [&](int64_t i, auto get, auto put) {
      const Vec a = get(x + i, 0), b = get(x + half + i, 0), c = get(cos + i, 0),
                s = get(sin + i, 0) * sign;
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

void swiglu_backward(
    const float* gy, const float* gate, const float* up, float* ggate, float* gup, int64_t n) {
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
  each_load(n, [&](int64_t i, auto get, auto) {
    total += exp_vec(get(row + i, -__builtin_inff()) - top);
  });
  return top + __builtin_logf(sum(total));
}

// loss = lse − (1−ε)·x_t − ε·mean(x) + z·lse²;  gradient = p·(1 + 2·z·lse) − ε/V − (1−ε)·[j = t].
void cross_entropy_row(float* logits,
                       int64_t vocab,
                       int64_t target,
                       float smoothing,
                       float z_loss,
                       float* loss,
                       float* z) {
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
  *loss = lse - (1 - smoothing) * target_logit -
          smoothing * sum(plain) / static_cast<float>(vocab) + *z;
  const float factor = (1 + 2 * z_loss * lse) / denominator,
              even = smoothing / static_cast<float>(vocab);
  each_load(vocab, [&](int64_t i, auto get, auto put) {
    put(logits + i, get(logits + i, 0) * factor - even);
  });
  logits[target] -= 1 - smoothing;
}

// dst[d][j] = src[j][d], rows of dst padded to a multiple of 16 with zeros.
void transpose_into(
    const float* src, int64_t stride, int64_t length, int64_t dim, int64_t padded, float* dst) {
  for (int64_t d = 0; d < dim; ++d)
    for (int64_t j = length; j < padded; ++j) dst[d * padded + j] = 0;
  for (int64_t j = 0; j < length; ++j)
    for (int64_t d = 0; d < dim; ++d) dst[d * padded + j] = src[j * stride + d];
}

// Attention works on tiles of R neighbouring queries of one head (8, then 4, 2, 1), so that each
// key or value is loaded once per tile and the R sums stay in registers.
template <int R>
struct Rows {
  const float* row[R];

  Rows(const float* first, int64_t stride) {
    for (int r = 0; r < R; ++r) row[r] = first + r * stride;
  }
};

// scores[r][j] = Σ_d x[r][d]·matrix[d][j] for j < count, in whole vectors (the padding is written
// too).
template <int R>
inline void tile_scores(const Rows<R>& x,
                        const float* matrix,
                        int64_t dim,
                        int64_t padded,
                        int64_t count,
                        float* scores) {
  for (int64_t j = 0; j < count; j += W) {
    Vec total[R] = {};
    for (int64_t d = 0; d < dim; ++d) {
      const Vec m = load(matrix + d * padded + j);
      for (int r = 0; r < R; ++r) total[r] += x.row[r][d] * m;
    }
    for (int r = 0; r < R; ++r) store(scores + r * padded + j, total[r]);
  }
}

// out[r][d] = Σ_j weights[r][j]·matrix[j·stride + d] for j < count.
template <int R>
inline void tile_weighted_sum(const float* weights,
                              int64_t padded,
                              const float* matrix,
                              int64_t stride,
                              int64_t count,
                              int64_t dim,
                              float* out,
                              int64_t out_stride) {
  each_load(dim, [&](int64_t i, auto get, auto put) {
    Vec total[R] = {};
    for (int64_t j = 0; j < count; ++j) {
      const Vec m = get(matrix + j * stride + i, 0);
      for (int r = 0; r < R; ++r) total[r] += weights[r * padded + j] * m;
    }
    for (int r = 0; r < R; ++r) put(out + r * out_stride + i, total[r]);
  });
}

// sums[j][d] += Σ_r weights[r][j]·x[r][d] for j < count.
template <int R>
inline void tile_add_outer(const float* weights,
                           int64_t padded,
                           const Rows<R>& x,
                           int64_t count,
                           int64_t dim,
                           float* sums,
                           int64_t stride) {
  each_load(dim, [&](int64_t i, auto get, auto put) {
    Vec rows[R];
    for (int r = 0; r < R; ++r) rows[r] = get(x.row[r] + i, 0);
    for (int64_t j = 0; j < count; ++j) {
      Vec total = get(sums + j * stride + i, 0);
      for (int r = 0; r < R; ++r) total += weights[r * padded + j] * rows[r];
      put(sums + j * stride + i, total);
    }
  });
}

// Turns the scores of one query into probabilities of its `visible` keys, zero beyond; returns the
// log-sum-exp.
inline float softmax_row(float* row, int64_t visible, int64_t count, float scale) {
  each_load(visible, [&](int64_t j, auto get, auto put) { put(row + j, get(row + j, 0) * scale); });
  const float lse = log_sum_exp(row, visible);
  each_load(visible,
            [&](int64_t j, auto get, auto put) { put(row + j, exp_vec(get(row + j, 0) - lse)); });
  for (int64_t j = visible; j < count; ++j) row[j] = 0;
  return lse;
}

// Calls tile<R>(first query) over 0…length.
template <class Tile>
inline void each_tile(int64_t length, Tile tile) {
  int64_t i = 0;
  for (; i + 8 <= length; i += 8) tile.template operator()<8>(i);
  if (length - i >= 4) tile.template operator()<4>(i), i += 4;
  if (length - i >= 2) tile.template operator()<2>(i), i += 2;
  if (length - i >= 1) tile.template operator()<1>(i);
}

void attention(const DocumentShape& s,
               const float* q,
               const float* k,
               const float* v,
               float* o,
               float* lse,
               float* scratch) {
  const int64_t padded = (s.length + 15) / 16 * 16;
  float* keys = scratch;
  float* p = keys + s.head_dim * padded;
  transpose_into(k, s.kv_stride, s.length, s.head_dim, padded, keys);
  for (int64_t head = 0; head < s.heads; ++head)
    each_tile(s.length, [&]<int R>(int64_t i) {
      const int64_t at = i * s.q_stride + head * s.head_dim, count = i + R;
      tile_scores<R>(Rows<R>(q + at, s.q_stride), keys, s.head_dim, padded, count, p);
      for (int r = 0; r < R; ++r)
        lse[head * s.length + i + r] = softmax_row(p + r * padded, i + r + 1, count, s.scale);
      tile_weighted_sum<R>(p, padded, v, s.kv_stride, count, s.head_dim, o + at, s.q_stride);
    });
}

inline float dot(const float* a, const float* b, int64_t n) {
  Vec total{};
  each_load(n, [&](int64_t i, auto get, auto) { total += get(a + i, 0) * get(b + i, 0); });
  return sum(total);
}

// p: scores → probabilities; ds: products of go and v → gradients of the scores.  Zero beyond the
// visible keys.
inline void score_gradients(
    float* p, float* ds, int64_t visible, int64_t count, float scale, float lse, float delta) {
  each_load(visible, [&](int64_t j, auto get, auto put) {
    const Vec probability = exp_vec(get(p + j, 0) * scale - lse);
    put(p + j, probability);
    put(ds + j, probability * (get(ds + j, 0) - delta) * scale);
  });
  for (int64_t j = visible; j < count; ++j) p[j] = ds[j] = 0;
}

void attention_backward(const DocumentShape& s,
                        const float* q,
                        const float* k,
                        const float* v,
                        const float* o,
                        const float* go,
                        const float* lse,
                        float* gq,
                        float* gk,
                        float* gv,
                        float* scratch) {
  const int64_t padded = (s.length + 15) / 16 * 16;
  float* keys = scratch;
  float* values = keys + s.head_dim * padded;
  float* p = values + s.head_dim * padded;
  float* ds = p + 8 * padded;
  transpose_into(k, s.kv_stride, s.length, s.head_dim, padded, keys);
  transpose_into(v, s.kv_stride, s.length, s.head_dim, padded, values);
  for (int64_t j = 0; j < s.length; ++j)
    for (int64_t d = 0; d < s.head_dim; ++d) gk[j * s.kv_stride + d] = gv[j * s.kv_stride + d] = 0;
  for (int64_t head = 0; head < s.heads; ++head)
    each_tile(s.length, [&]<int R>(int64_t i) {
      const int64_t at = i * s.q_stride + head * s.head_dim, count = i + R;
      const Rows<R> queries(q + at, s.q_stride), gradients(go + at, s.q_stride);
      tile_scores<R>(queries, keys, s.head_dim, padded, count, p);
      tile_scores<R>(gradients, values, s.head_dim, padded, count, ds);
      for (int r = 0; r < R; ++r) {
        const float delta = dot(o + at + r * s.q_stride, go + at + r * s.q_stride, s.head_dim);
        score_gradients(p + r * padded,
                        ds + r * padded,
                        i + r + 1,
                        count,
                        s.scale,
                        lse[head * s.length + i + r],
                        delta);
      }
      tile_weighted_sum<R>(ds, padded, k, s.kv_stride, count, s.head_dim, gq + at, s.q_stride);
      tile_add_outer<R>(ds, padded, queries, count, s.head_dim, gk, s.kv_stride);
      tile_add_outer<R>(p, padded, gradients, count, s.head_dim, gv, s.kv_stride);
    });
}

constexpr Kernels table(const char* name) {
  return {name,
          &rms_norm,
          &rms_norm_backward,
          &rope,
          &swiglu,
          &swiglu_backward,
          &cross_entropy_row,
          &log_sum_exp,
          &attention,
          &attention_backward};
}

}  // namespace

}  // namespace mortise::ops
