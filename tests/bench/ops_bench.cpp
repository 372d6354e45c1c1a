// Fused operations against their compositions of ATen operations, forward and backward, in one run:
// JSON lines
// {"op", "fused_us", "eager_us", "ratio"}.  Shapes are those of the quickstart model.  Usage:
// bench_ops [threads].  The first line is the bound of a training step: its matrix products alone,
// {"op": "products", "ms_a_step", "gflop_s"}, each product at its best.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <malloc.h>

#include "mortise/torch/ops.hpp"

namespace ops = mortise::ops;

namespace {

using Step = std::function<at::Tensor()>;

double microseconds(const Step& forward, std::vector<at::Tensor> leaves) {
  const auto start = std::chrono::steady_clock::now();
  const at::Tensor value = forward();
  (value.dim() == 0 ? value : value.sum()).backward();
  for (at::Tensor& leaf : leaves) leaf.mutable_grad() = at::Tensor();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

// The two alternate, so that a busy machine slows both alike; the median of each counts.
void compare(const char* name,
             const Step& fused,
             const Step& eager,
             const std::vector<at::Tensor>& leaves) {
  std::vector<double> a, b;
  for (int round = 0; round < 25; ++round) {
    a.push_back(microseconds(fused, leaves));
    b.push_back(microseconds(eager, leaves));
  }
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  std::printf(
      "{\"op\": \"%s\", \"fused_us\": %.0f, \"eager_us\": %.0f, \"ratio\": %.2f, \"threads\": "
      "%d}\n",
      name,
      a[12],
      b[12],
      b[12] / a[12],
      at::get_num_threads());
}

at::Tensor leaf(at::IntArrayRef shape) { return at::randn(shape).set_requires_grad(true); }

void compare_attention(const at::Tensor& q,
                       const at::Tensor& k,
                       const at::Tensor& v,
                       int64_t length) {
  const at::Tensor offsets = at::arange(0, q.size(0) * q.size(1) + 1, length, at::kLong);
  const auto masked = [&] {  // the usual way: one mask over the row
    const at::Tensor index = at::arange(q.size(1), at::kLong),
                     document = index.div(length, "floor");
    const at::Tensor visible = (document.unsqueeze(1) == document.unsqueeze(0))
                                   .logical_and(index.unsqueeze(1) >= index.unsqueeze(0));
    return at::scaled_dot_product_attention(
        q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), visible, 0.0, false, 0.18, true);
  };
  char name[40];
  std::snprintf(name, sizeof name, "document_attention_%d", static_cast<int>(length));
  compare(name, [&] { return ops::document_attention(q, k, v, offsets, 0.18); }, masked, {q, k, v});
}

// One document of q's length, of which a token sees the last `window` keys.
void compare_window(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t window) {
  const at::Tensor offsets = at::tensor({int64_t{0}, q.size(1)}, at::kLong);
  const auto masked = [&] {
    const at::Tensor index = at::arange(q.size(1), at::kLong),
                     age = index.unsqueeze(1) - index.unsqueeze(0);
    return at::scaled_dot_product_attention(q.transpose(1, 2),
                                            k.transpose(1, 2),
                                            v.transpose(1, 2),
                                            (age >= 0).logical_and(age < window),
                                            0.0,
                                            false,
                                            0.18,
                                            true);
  };
  char name[40];
  std::snprintf(
      name, sizeof name, "window_%d_of_%d", static_cast<int>(window), static_cast<int>(q.size(1)));
  compare(name,
          [&] { return ops::document_attention(q, k, v, offsets, 0.18, window); },
          masked,
          {q, k, v});
}

// Best seconds of y = x·Wᵀ, gx = g·W and gW = gᵀ·x together.
double product_seconds(int64_t tokens, int64_t in, int64_t out) {
  const at::Tensor x = at::randn({tokens, in}), w = at::randn({out, in}),
                   g = at::randn({tokens, out});
  at::Tensor y = at::empty({tokens, out}), gx = at::empty({tokens, in}), gw = at::empty({out, in});
  const std::vector<std::function<void()>> products = {[&] { at::mm_out(y, x, w.t()); },
                                                       [&] { at::mm_out(gx, g, w); },
                                                       [&] { at::mm_out(gw, g.t(), x); }};
  double total = 0;
  for (const auto& product : products) {
    double best = 1e9;
    for (int round = 0; round < 30; ++round) {
      const auto start = std::chrono::steady_clock::now();
      product();
      best = std::min(
          best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    total += best;
  }
  return total;
}

// All products of a training step of the quickstart model.
void print_bound(int64_t tokens, int64_t width, int64_t hidden, int64_t vocab) {
  struct Shape {
    int64_t in, out, count;
  };

  double seconds = 0, flop = 0;
  for (const Shape& shape : {Shape{width, width, 12},
                             Shape{width, width / 2, 12},
                             Shape{width, hidden, 12},
                             Shape{hidden, width, 6},
                             Shape{width, vocab, 1}}) {
    seconds += static_cast<double>(shape.count) * product_seconds(tokens, shape.in, shape.out);
    flop += 6.0 * static_cast<double>(shape.count * tokens * shape.in * shape.out);
  }
  std::printf("{\"op\": \"products\", \"ms_a_step\": %.1f, \"gflop_s\": %.0f, \"threads\": %d}\n",
              seconds * 1e3,
              flop / seconds / 1e9,
              at::get_num_threads());
}

/// Freed blocks are used again, as the device of a run does; else page faults are measured.
void recycle_blocks() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
  mallopt(M_TOP_PAD, 400'000'000);
}

}  // namespace

int main(int argc, char** argv) {
  recycle_blocks();
  at::set_num_threads(argc > 1 ? std::atoi(argv[1]) : 2);
  at::manual_seed(1);
  const int64_t tokens = 2048, width = 256, vocab = 4096, hidden = 688;
  print_bound(tokens, width, hidden, vocab);
  const at::Tensor x = leaf({tokens, width}), w = leaf({width});
  compare(
      "rms_norm",
      [&] { return ops::rms_norm(x, w, 1e-6); },
      [&] { return ops::eager::rms_norm(x, w, 1e-6); },
      {x, w});
  const at::Tensor part = leaf({tokens, width});
  const auto both = [](const std::pair<at::Tensor, at::Tensor>& out) {
    return out.first + out.second;
  };
  compare(  // against the fused norm of a sum, not against the twin
      "add_rms_norm",
      [&] { return both(ops::add_rms_norm(x, part, w, 1e-6)); },
      [&] {
        const at::Tensor sum = x + part;
        return both({sum, ops::rms_norm(sum, w, 1e-6)});
      },
      {x, part, w});
  const at::Tensor gate = leaf({tokens, hidden}), up = leaf({tokens, hidden});
  compare(
      "swiglu",
      [&] { return ops::swiglu(gate, up); },
      [&] { return ops::eager::swiglu(gate, up); },
      {gate, up});
  const at::Tensor q = leaf({8, 256, 8, 32}), k = leaf({8, 256, 4, 32}), v = leaf({8, 256, 4, 32});
  const at::Tensor angle = at::rand({256, 16}), cos = angle.cos(), sin = angle.sin(),
                   positions = at::arange(256, at::kLong).repeat({8, 1});
  compare(
      "rope",
      [&] { return ops::rope(q, cos, sin, positions); },
      [&] { return ops::eager::rope(q, cos, sin, positions); },
      {q});
  for (const int64_t length : {16, 64, 256}) compare_attention(q, k, v, length);
  for (const int64_t length : {1024, 4096})
    compare_window(
        leaf({1, length, 8, 32}), leaf({1, length, 4, 32}), leaf({1, length, 4, 32}), 256);
  const at::Tensor h = leaf({tokens, width}), head = leaf({vocab, width}),
                   targets = at::randint(0, vocab, {tokens}, at::kLong);
  compare(
      "linear_cross_entropy",
      [&] { return ops::chunked_cross_entropy(h, head, {}, targets, {}, {}).first; },
      [&] { return at::cross_entropy_loss(at::linear(h, head), targets, {}, at::Reduction::Sum); },
      {h, head});
}
