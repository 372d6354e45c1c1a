// The text of the attention kernels: the second part of kernels_body.hpp, which includes it.
//
// Backward recomputes the probabilities from the saved log-sum-exp, strip by strip of queries; the
// gradients of keys and values are then sums over the strip (FlashAttention, arXiv:2205.14135,
// algorithm 4, with the whole document as the other tile: it fits in the second-level cache).
namespace mortise::ops {

namespace {

// Attention.  A tile is R neighbouring queries of one head (8, then 4, 2, 1).  The products keep R
// × C vectors of sums in registers, so that every value that is loaded serves several of them; C is
// 2 where there are 32 registers.
constexpr int C = VECTOR_FLOATS == 16 ? 2 : 1;
constexpr int64_t kStrip = 32;  // queries whose probabilities live at once in backward

// dst[d][j] = src[j][d], rows of dst padded with zeros.
void transpose_into(
    const float* src, int64_t stride, int64_t length, int64_t dim, int64_t padded, float* dst) {
  for (int64_t d = 0; d < dim; ++d)
    for (int64_t j = length; j < padded; ++j) dst[d * padded + j] = 0;
  for (int64_t j = 0; j < length; ++j) {
    for (int64_t d = 0; d < dim; d += 16) __builtin_prefetch(src + (j + 8) * stride + d);
    for (int64_t d = 0; d < dim; ++d) dst[d * padded + j] = src[j * stride + d];
  }
}

// Asks for the next tile's rows: their stride is too wide for the hardware to guess.
inline void prefetch_rows(const float* first, int64_t stride, int64_t dim) {
  for (int64_t row = 0; row < 8; ++row)
    for (int64_t d = 0; d < dim; d += 16) __builtin_prefetch(first + row * stride + d);
}

// Calls tile<R>(first) over 0…length.
template <class Tile>
inline void each_tile(int64_t length, Tile tile) {
  int64_t i = 0;
  for (; i + 8 <= length; i += 8) tile.template operator()<8>(i);
  if (length - i >= 4) tile.template operator()<4>(i), i += 4;
  if (length - i >= 2) tile.template operator()<2>(i), i += 2;
  if (length - i >= 1) tile.template operator()<1>(i);
}

// Calls part<V>(first column, lanes of a tail or 0) over the columns: V = C vectors, then 1, then a
// tail.
template <class Part>
inline void each_column(int64_t columns, Part part) {
  int64_t i = 0;
  for (; i + C * W <= columns; i += C * W) part.template operator()<C>(i, int64_t{0});
  for (; i + W <= columns; i += W) part.template operator()<1>(i, int64_t{0});
  if (i < columns) part.template operator()<1>(i, columns - i);
}

inline Vec load_part(const float* p, int64_t tail) {
  return tail ? load_tail(p, tail, 0) : load(p);
}

inline void store_part(float* p, int64_t tail, Vec v) {
  if (tail)
    store_tail(p, tail, v);
  else
    store(p, v);
}

// out[r][i] = factor[r] · Σ_j a[r·rows + j·step]·b[j·stride + i] for R rows and j < count, i <
// columns; added to out when `add`.
template <int R, bool add>
inline void tile_product(const float* a,
                         int64_t rows,
                         int64_t step,
                         const float* b,
                         int64_t stride,
                         int64_t count,
                         int64_t columns,
                         const float* factor,
                         float* out,
                         int64_t out_stride) {
  each_column(columns, [&]<int V>(int64_t i, int64_t tail) {
    Vec total[R][V] = {};
    if (add)
      for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) total[r][v] = load_part(out + r * out_stride + i + v * W, tail);
    for (int64_t j = 0; j < count; ++j) {
      Vec m[V];
      for (int v = 0; v < V; ++v) m[v] = load_part(b + j * stride + i + v * W, tail);
      for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) total[r][v] += a[r * rows + j * step] * m[v];
    }
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < V; ++v)
        store_part(out + r * out_stride + i + v * W,
                   tail,
                   factor == nullptr ? total[r][v] : total[r][v] * factor[r]);
  });
}

inline int64_t whole_vectors(int64_t n) { return (n + W - 1) / W * W; }

// The keys [first, last) that a query sees.
struct Span {
  int64_t first, last;
};

// What the query at `place` sees, counted from the key at `origin`.
inline Span seen_from(const DocumentShape& s, int64_t place, int64_t origin) {
  const int64_t first = s.window == 0 ? 0 : place + 1 - s.window;
  return {first < origin ? 0 : first - origin, place + 1 - origin};
}

// The first key that the queries from `place` on see, at a whole vector.
inline int64_t first_seen(const DocumentShape& s, int64_t place) {
  return seen_from(s, place, 0).first / W * W;
}

// Calls f(j, lanes that are visible) over [0, count) in whole vectors: all ones but in the vectors
// that hold a border, and zero outside.
template <class F>
inline void each_visible(Span seen, int64_t count, F f) {
  IVec lane;
  for (int32_t i = 0; i < W; ++i) lane[i] = i;
  const IVec all = lane >= 0;
  const int64_t visible = seen.last;
  int64_t j = 0;
  for (; j < seen.first; j += W)
    f(j,
      (lane >= static_cast<int32_t>(seen.first - j)) & (lane < static_cast<int32_t>(visible - j)));
  for (; j + W <= visible; j += W) f(j, all);
  for (; j < count; j += W) f(j, lane < static_cast<int32_t>(visible - j));
}

// Turns scores of one query into exp(score·scale − max), zero beyond the visible keys; returns the
// sum and the log-sum-exp.
inline float exp_row(float* row, Span visible, int64_t count, float scale, float* lse) {
  const Vec low = splat(-__builtin_inff());
  Vec best = low, total{};
  each_visible(visible, count, [&](int64_t j, IVec seen) {
    const Vec v = seen ? load(row + j) * scale : low;
    best = v > best ? v : best;
  });
  const float top = largest(best);
  each_visible(visible, count, [&](int64_t j, IVec seen) {
    const Vec e = seen ? exp_vec(load(row + j) * scale - top) : Vec{};
    total += e;
    store(row + j, e);
  });
  const float all = sum(total);
  *lse = top + __builtin_logf(all);
  return all;
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
      const int64_t at = i * s.q_stride + head * s.head_dim, low = first_seen(s, i),
                    count = whole_vectors(i + R) - low;
      prefetch_rows(q + at + R * s.q_stride, s.q_stride, s.head_dim);
      tile_product<R, false>(
          q + at, s.q_stride, 1, keys + low, padded, s.head_dim, count, nullptr, p, padded);
      float inverse[R];
      for (int r = 0; r < R; ++r)
        inverse[r] = 1.0f / exp_row(p + r * padded,
                                    seen_from(s, i + r, low),
                                    count,
                                    s.scale,
                                    lse + head * s.length + i + r);
      tile_product<R, false>(p,
                             padded,
                             1,
                             v + low * s.kv_stride,
                             s.kv_stride,
                             i + R - low,
                             s.head_dim,
                             inverse,
                             o + at,
                             s.q_stride);
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
    float* p, float* ds, Span visible, int64_t count, float scale, float lse, float delta) {
  each_visible(visible, count, [&](int64_t j, IVec seen) {
    const Vec probability = seen ? exp_vec(load(p + j) * scale - lse) : Vec{};
    store(p + j, probability);
    store(ds + j, probability * (load(ds + j) - delta) * scale);
  });
}

// What the strips of one head share.
struct BackwardHead {
  const float *q, *k, *o, *go, *lse, *keys, *values;
  float *gq, *gk, *gv, *p, *ds;
  int64_t padded;
};

// The queries [first, first + rows) of one head: their gradients, and their part of those of keys
// and values.
void backward_strip(const DocumentShape& s, const BackwardHead& h, int64_t first, int64_t rows) {
  const int64_t padded = h.padded, seen = first + rows, low = first_seen(s, first),
                width = whole_vectors(seen) - low;
  each_tile(rows, [&]<int R>(int64_t row) {
    const int64_t i = first + row, at = i * s.q_stride;
    float *p = h.p + row * padded, *ds = h.ds + row * padded;
    const float* const streams[] = {h.q, h.go, h.o};
    for (const float* stream : streams)
      prefetch_rows(stream + at + R * s.q_stride, s.q_stride, s.head_dim);
    tile_product<R, false>(
        h.q + at, s.q_stride, 1, h.keys + low, padded, s.head_dim, width, nullptr, p, padded);
    tile_product<R, false>(
        h.go + at, s.q_stride, 1, h.values + low, padded, s.head_dim, width, nullptr, ds, padded);
    for (int r = 0; r < R; ++r) {
      const float delta = dot(h.o + at + r * s.q_stride, h.go + at + r * s.q_stride, s.head_dim);
      score_gradients(p + r * padded,
                      ds + r * padded,
                      seen_from(s, i + r, low),
                      width,
                      s.scale,
                      h.lse[i + r],
                      delta);
    }
    tile_product<R, false>(ds,
                           padded,
                           1,
                           h.k + low * s.kv_stride,
                           s.kv_stride,
                           i + R - low,
                           s.head_dim,
                           nullptr,
                           h.gq + at,
                           s.q_stride);
  });
  const int64_t at = first * s.q_stride;
  float *gk = h.gk + low * s.kv_stride, *gv = h.gv + low * s.kv_stride;
  each_tile(seen - low, [&]<int R>(int64_t j) {  // R keys: sums over the strip's queries
    tile_product<R, true>(h.ds + j,
                          1,
                          padded,
                          h.q + at,
                          s.q_stride,
                          rows,
                          s.head_dim,
                          nullptr,
                          gk + j * s.kv_stride,
                          s.kv_stride);
    tile_product<R, true>(h.p + j,
                          1,
                          padded,
                          h.go + at,
                          s.q_stride,
                          rows,
                          s.head_dim,
                          nullptr,
                          gv + j * s.kv_stride,
                          s.kv_stride);
  });
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
  float* ds = p + kStrip * padded;
  transpose_into(k, s.kv_stride, s.length, s.head_dim, padded, keys);
  transpose_into(v, s.kv_stride, s.length, s.head_dim, padded, values);
  for (int64_t j = 0; j < s.length; ++j)
    for (int64_t d = 0; d < s.head_dim; ++d) gk[j * s.kv_stride + d] = gv[j * s.kv_stride + d] = 0;
  for (int64_t head = 0; head < s.heads; ++head) {
    const int64_t at = head * s.head_dim;
    const BackwardHead h = {q + at,
                            k,
                            o + at,
                            go + at,
                            lse + head * s.length,
                            keys,
                            values,
                            gq + at,
                            gk,
                            gv,
                            p,
                            ds,
                            padded};
    for (int64_t first = 0; first < s.length; first += kStrip)
      backward_strip(s, h, first, s.length - first < kStrip ? s.length - first : kStrip);
  }
}

}  // namespace

}  // namespace mortise::ops
