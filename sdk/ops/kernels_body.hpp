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
typedef uint32_t UVec __attribute__((vector_size(VECTOR_FLOATS * 4), may_alias));
typedef uint16_t Short __attribute__((vector_size(VECTOR_FLOATS * 2), aligned(2), may_alias));

inline Vec load(const float* p) { return *reinterpret_cast<const VecU*>(p); }

inline void store(float* p, Vec v) { *reinterpret_cast<VecU*>(p) = v; }

inline Vec splat(float x) { return x - Vec{}; }

inline UVec bits_of(Vec v) { return reinterpret_cast<const UVec&>(v); }

inline Vec from_bits(UVec u) { return reinterpret_cast<const Vec&>(u); }

inline UVec splat_bits(uint32_t x) { return x - UVec{}; }

inline UVec widened(const void* p) {
  return __builtin_convertvector(*static_cast<const Short*>(p), UVec);
}

inline void store_low(void* p, UVec u) {
  *static_cast<Short*>(p) = __builtin_convertvector(u, Short);
}

inline Vec load(const Bf16* p) { return from_bits(widened(p) << 16); }

// Half of the last place kept, less one where that place is even, carries into it: nearest even.  A
// NaN could carry into infinity, so it becomes the quiet one.
inline void store(Bf16* p, Vec v) {
  const UVec u = bits_of(v), rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
  store_low(p, v != v ? splat_bits(0x7fc0) : rounded);
}

// Exponent and mantissa move to their places in fp32, a product by 2¹¹² mends the bias (exactly,
// also of what is subnormal in fp16); infinities and NaN get fp32's top exponent.
inline Vec load(const Half* p) {
  const UVec u = widened(p), magnitude = (u & 0x7fff) << 13;
  const UVec finite = bits_of(from_bits(magnitude) * 0x1p112f);
  const UVec special = magnitude | 0x7f800000;
  return from_bits(((u & 0x8000) << 16) | (magnitude >= 0x0f800000 ? special : finite));
}

// The sum of |v| and a power of two whose last place is that of the result rounds as fp16 does,
// also where fp16 is subnormal; a product by 2¹¹² before it sends what is too large to infinity.
// (Dukhan, FP16, fp16_ieee_from_fp32_value.)
inline void store(Half* p, Vec v) {
  const UVec u = bits_of(v), sign = (u >> 16) & 0x8000, twice = u + u;
  const Vec scaled = (from_bits(u & 0x7fffffff) * 0x1p112f) * 0x1p-110f;
  const UVec exponent = twice & 0xff000000;
  const UVec floor = exponent < 0x71000000 ? splat_bits(0x71000000) : exponent;
  const UVec sum = bits_of(from_bits((floor >> 1) + 0x07800000) + scaled);
  const UVec rounded = ((sum >> 13) & 0x7c00) + (sum & 0x0fff);
  store_low(p, sign | (twice > 0xff000000 ? splat_bits(0x7e00) : rounded));
}

// Lanes i and i ± half meet, then half of that, …: log2(W) steps.
template <class Meet>
inline float reduce(Vec v, Meet meet) {
  IVec lane;
  for (int32_t i = 0; i < W; ++i) lane[i] = i;
  for (int32_t half = W / 2; half > 0; half /= 2) v = meet(v, __builtin_shuffle(v, lane ^ half));
  return v[0];
}

inline float sum(Vec v) {
  return reduce(v, [](Vec a, Vec b) { return a + b; });
}

inline float largest(Vec v) {
  return reduce(v, [](Vec a, Vec b) { return a > b ? a : b; });
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

template <class T>
inline Vec load_tail(const T* p, int64_t n, float fill) {
  T whole[W] = {};
  for (int64_t lane = 0; lane < n; ++lane) whole[lane] = p[lane];
  Vec v = load(whole);
  for (int64_t lane = n; lane < W; ++lane) v[lane] = fill;
  return v;
}

template <class T>
inline void store_tail(T* p, int64_t n, Vec v) {
  T whole[W];
  store(whole, v);
  for (int64_t lane = 0; lane < n; ++lane) p[lane] = whole[lane];
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
            i, [](const auto* p, float) { return load(p); }, [](auto* p, Vec v) { store(p, v); });
      },
      [&](int64_t i, int64_t count) {
        f(
            i,
            [count](const auto* p, float fill) { return load_tail(p, count, fill); },
            [count](auto* p, Vec v) { store_tail(p, count, v); });
      });
}

template <class T>
void rms_norm(
    const T* x, const T* w, T* y, float* inv_rms, int64_t rows, int64_t width, float eps) {
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

template <class T>
void add_rms_norm(const T* x,
                  const T* residual,
                  const T* w,
                  T* sum_out,
                  T* y,
                  float* inv_rms,
                  int64_t rows,
                  int64_t width,
                  float eps) {
  for (int64_t row = 0; row < rows; ++row, x += width, residual += width) {
    Vec squares{};
    each_load(width, [&](int64_t i, auto get, auto put) {
      put(sum_out + i, get(x + i, 0) + get(residual + i, 0));
      const Vec v = get(sum_out + i, 0);  // as rounded
      squares += v * v;
    });
    const float inv = 1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(width) + eps);
    inv_rms[row] = inv;
    each_load(width, [&](int64_t i, auto get, auto put) {
      put(y + i, get(w + i, 0) * (get(sum_out + i, 0) * inv));
    });
    sum_out += width;
    y += width;
  }
}

template <class T>
void rms_norm_backward(const T* gy,
                       const T* x,
                       const T* w,
                       const float* inv_rms,
                       const T* more,
                       T* gx,
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
    const auto gradient = [&](int64_t i, auto get) {
      return get(gy + i, 0) * get(w + i, 0) * inv - get(x + i, 0) * pull;
    };
    if (more == nullptr) {
      each_load(width, [&](int64_t i, auto get, auto put) { put(gx + i, gradient(i, get)); });
      continue;
    }
    each_load(width, [&](int64_t i, auto get, auto put) {
      put(gx + i, gradient(i, get) + get(more + i, 0));
    });
    more += width;
  }
}

template <class T>
void rope(const T* x,
          const float* cos,
          const float* sin,
          T* y,
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

template <class T>
void swiglu(const T* gate, const T* up, T* y, int64_t n) {
  each_load(n, [&](int64_t i, auto get, auto put) {
    const Vec g = get(gate + i, 0);
    put(y + i, g * sigmoid(g) * get(up + i, 0));
  });
}

template <class T>
void swiglu_backward(const T* gy, const T* gate, const T* up, T* ggate, T* gup, int64_t n) {
  each_load(n, [&](int64_t i, auto get, auto put) {
    const Vec g = get(gate + i, 0), u = get(up + i, 0), d = get(gy + i, 0), s = sigmoid(g);
    put(gup + i, d * g * s);
    put(ggate + i, d * u * s * (1.0f + g * (1.0f - s)));
  });
}

template <class From, class To>
void convert(const From* x, To* y, int64_t n) {
  each_load(n, [&](int64_t i, auto get, auto put) { put(y + i, get(x + i, 0)); });
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

}  // namespace

}  // namespace mortise::ops

#include "kernels_attention.hpp"

namespace mortise::ops {

namespace {

template <class T>
constexpr RowKernels<T> row_kernels() {
  return {&rms_norm<T>,
          &add_rms_norm<T>,
          &rms_norm_backward<T>,
          &rope<T>,
          &swiglu<T>,
          &swiglu_backward<T>,
          &convert<T, float>,
          &convert<float, T>};
}

constexpr Kernels table(const char* name) {
  return {name,
          row_kernels<float>(),
          row_kernels<Bf16>(),
          row_kernels<Half>(),
          &cross_entropy_row,
          &log_sum_exp,
          &attention,
          &attention_backward};
}

}  // namespace

}  // namespace mortise::ops
