// Fused operations against their eager twins in double precision: values and gradients, odd sizes,
// tails, masks.
#include "mortise/torch/ops.hpp"

#include <cmath>
#include <functional>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <doctest/doctest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/support/close.hpp"

namespace ops = mortise::ops;

namespace {

using Tensors = std::vector<at::Tensor>;
using Function = std::function<at::Tensor(const Tensors&)>;

struct Result {
  at::Tensor value;
  Tensors grads;
};

// Runs f on leaf copies and differentiates a fixed random projection of its result, of numbers that
// `exact` holds.
Result run(const Function& f,
           const Tensors& inputs,
           at::ScalarType dtype,
           at::ScalarType exact = at::kDouble) {
  Tensors leaves;
  for (const at::Tensor& input : inputs)
    leaves.push_back(input.to(dtype).detach().clone().set_requires_grad(true));
  const at::Tensor value = f(leaves);
  at::manual_seed(7);
  (value * at::randn(value.sizes(), at::kDouble).to(exact).to(dtype)).sum().backward();
  Result result{value.detach(), {}};
  for (const at::Tensor& leaf : leaves) result.grads.push_back(leaf.grad());
  return result;
}

void check_twins(const Function& fused,
                 const Function& eager,
                 const Tensors& inputs,
                 double rtol = 2e-5,
                 double atol = 2e-5) {
  const Result got = run(fused, inputs, at::kFloat), expected = run(eager, inputs, at::kDouble);
  MORTISE_CHECK_CLOSE(got.value, expected.value, rtol, atol);
  for (size_t i = 0; i < got.grads.size(); ++i) {
    CAPTURE(i);
    MORTISE_CHECK_CLOSE(got.grads[i], expected.grads[i], rtol, atol);
  }
}

constexpr at::ScalarType kHalfTypes[] = {at::kBFloat16, at::kHalf};

/// Half of the last place of a number near 1.
double rounding(at::ScalarType dtype) { return dtype == at::kHalf ? 0x1p-11 : 0x1p-8; }

// 16-bit tensors: from inputs that they hold exactly, results within `roundings` of what double
// gives.  Where rounded terms cancel, what is lost is relative to the terms: `of_mean` of the mean.
void check_rounded_twins(const Function& fused,
                         const Function& eager,
                         const Tensors& inputs,
                         double roundings = 1.01,
                         double of_mean = 0.05) {
  for (const at::ScalarType dtype : kHalfTypes) {
    CAPTURE(dtype);
    Tensors exact;
    for (const at::Tensor& input : inputs) exact.push_back(input.to(dtype));
    const Result got = run(fused, exact, dtype, dtype),
                 expected = run(eager, exact, at::kDouble, dtype);
    const auto check = [&](const at::Tensor& actual, const at::Tensor& reference) {
      CHECK((actual.scalar_type() == (actual.dim() == 0 ? at::kFloat : dtype)));
      const double allowed = rounding(dtype) * roundings;
      MORTISE_CHECK_CLOSE(
          actual, reference, allowed, allowed * of_mean * reference.abs().mean().item<double>());
    };
    check(got.value, expected.value);
    for (size_t i = 0; i < got.grads.size(); ++i) {
      CAPTURE(i);
      check(got.grads[i], expected.grads[i]);
    }
  }
}

at::Tensor random(at::IntArrayRef shape, double scale = 1) {
  return at::randn(shape, at::kDouble) * scale;
}

}  // namespace

TEST_SUITE("sdk.ops") {
  TEST_CASE("rms_norm equals its twin for any width") {
    at::manual_seed(1);
    for (const int64_t width : {1, 3, 16, 37, 256})
      check_twins([](const Tensors& t) { return ops::rms_norm(t[0], t[1], 1e-5); },
                  [](const Tensors& t) { return ops::eager::rms_norm(t[0], t[1], 1e-5); },
                  {random({3, 67, width}, 2), random({width}) + 1},
                  5e-5,
                  5e-5);
  }

  TEST_CASE("add_rms_norm equals a sum and its norm: bits of the results, gradients of both") {
    at::manual_seed(16);
    for (const int64_t width : {1, 3, 16, 37, 256}) {
      CAPTURE(width);
      const Tensors inputs = {
          random({3, 67, width}, 2), random({3, 67, width}), random({width}) + 1};
      const auto joined = [](const std::pair<at::Tensor, at::Tensor>& both) {
        return at::cat({both.first, both.second}, -1);
      };
      const auto fused = [&](const Tensors& t) {
        return joined(ops::add_rms_norm(t[0], t[1], t[2], 1e-5));
      };
      const auto eager = [&](const Tensors& t) {
        return joined(ops::eager::add_rms_norm(t[0], t[1], t[2], 1e-5));
      };
      check_twins(fused, eager, inputs, 5e-5, 5e-5);
      check_rounded_twins(fused, eager, inputs, 3, 1);  // the norm is that of the rounded sum
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
        const at::Tensor x = inputs[0].to(dtype), y = inputs[1].to(dtype), w = inputs[2].to(dtype);
        const auto [sum, normed] = ops::add_rms_norm(x, y, w, 1e-5);
        CHECK(at::equal(sum, x + y));
        CHECK(at::equal(normed, ops::rms_norm(x + y, w, 1e-5)));
      }
    }
  }

  TEST_CASE("add_rms_norm passes on the gradient of the result that is used") {
    at::manual_seed(17);
    const at::Tensor y = at::randn({5, 8}), w = at::rand({8}) + 1;
    for (const bool of_sum : {true, false}) {
      at::Tensor a = at::randn({5, 8}).set_requires_grad(true),
                 b = a.detach().clone().set_requires_grad(true);
      const auto fused = ops::add_rms_norm(a, y, w, 1e-5),
                 eager = ops::eager::add_rms_norm(b, y, w, 1e-5);
      (of_sum ? fused.first : fused.second).pow(2).sum().backward();
      (of_sum ? eager.first : eager.second).pow(2).sum().backward();
      MORTISE_CHECK_CLOSE(a.grad(), b.grad(), 1e-5, 1e-5);
    }
  }

  TEST_CASE("rope equals its twin, and positions may repeat") {
    at::manual_seed(2);
    for (const int64_t head_dim : {2, 10, 32, 66}) {
      const at::Tensor angles = at::rand({20, head_dim / 2}, at::kFloat) * 6,
                       positions = at::randint(0, 20, {2, 9}, at::kLong);
      check_twins(
          [&](const Tensors& t) { return ops::rope(t[0], angles.cos(), angles.sin(), positions); },
          [&](const Tensors& t) {
            return ops::eager::rope(t[0], angles.cos(), angles.sin(), positions);
          },
          {random({2, 9, 3, head_dim})});
    }
  }

  TEST_CASE("rope refuses a position outside its table") {
    const at::Tensor table = at::zeros({4, 2});
    CHECK_THROWS(ops::rope(at::zeros({1, 1, 1, 4}), table, table, at::full({1, 1}, 4, at::kLong)));
    CHECK_THROWS(ops::rope(at::zeros({1, 1, 1, 4}), table, table, at::full({1, 1}, -1, at::kLong)));
  }

  TEST_CASE("swiglu equals its twin, also for large arguments") {
    at::manual_seed(3);
    for (const int64_t n : {1, 5, 1000, 70001})
      check_twins([](const Tensors& t) { return ops::swiglu(t[0], t[1]); },
                  [](const Tensors& t) { return ops::eager::swiglu(t[0], t[1]); },
                  {random({n}, 8), random({n})});
    const at::Tensor huge = at::tensor({-1000.0f, -90.0f, 90.0f, 1000.0f});
    MORTISE_CHECK_CLOSE(
        ops::swiglu(huge, at::ones(4)), at::tensor({0.0f, 0.0f, 90.0f, 1000.0f}), 1e-6, 1e-30);
  }

  TEST_CASE("linears equals its twin, also when an output is not used or a weight is tied") {
    at::manual_seed(8);
    const auto check = [](auto pick) {
      check_twins(
          [&](const Tensors& t) {
            return pick(ops::linears(t[0], {t[1], t[2], t[1]}));
          },
          [&](const Tensors& t) {
            return pick(ops::eager::linears(t[0], {t[1], t[2], t[1]}));
          },
          {random({2, 5, 7}), random({3, 7}), random({4, 7})});
    };
    check([](const Tensors& y) { return at::cat({y[0], y[1], y[2] * 2}, -1); });
    const at::Tensor x = random({3, 7}).set_requires_grad(true),
                     w = random({4, 7}).set_requires_grad(true);
    (ops::linears(x, {w.detach(), w})[1] * 2).sum().backward();
    CHECK(at::allclose(x.grad(), at::full({3, 4}, 2, at::kDouble).mm(w.detach())));
    CHECK(at::allclose(w.grad(), at::full({4, 3}, 2, at::kDouble).mm(x.detach())));
  }

  TEST_CASE("a gradient of linear can be asked for without touching the leaf") {
    const at::Tensor x = random({3, 7}), w = random({4, 7}).set_requires_grad(true);
    const auto grads = torch::autograd::grad({ops::linear(x, w, {}).sum()}, {w});
    CHECK(at::allclose(grads[0], at::ones({4, 3}, at::kDouble).mm(x)));
    CHECK_FALSE(w.grad().defined());
    ops::linear(x, w, {}).sum().backward();
    ops::linear(x, w, {}).sum().backward();  // gradients add up
    CHECK(at::allclose(w.grad(), 2 * grads[0]));
  }

  TEST_CASE("swiglu_experts equals its twin, also where experts have no rows or few") {
    at::manual_seed(14);
    for (const std::vector<int64_t>& borders :
         {std::vector<int64_t>{0, 3, 3, 25, 60}, std::vector<int64_t>{0, 0, 60, 60, 60}}) {
      const auto fused = [&](const Tensors& t) {
        return ops::swiglu_experts(t[0], t[1], t[2], t[3], borders);
      };
      const auto eager = [&](const Tensors& t) {
        return ops::eager::swiglu_experts(t[0], t[1], t[2], t[3], borders);
      };
      const Tensors inputs = {random({60, 19}),
                              random({4, 33, 19}, 0.3),
                              random({4, 33, 19}, 0.3),
                              random({4, 19, 33}, 0.3)};
      check_twins(fused, eager, inputs, 1e-4, 1e-4);
      check_rounded_twins(fused, eager, inputs, 4, 4);
    }
  }

  TEST_CASE("gradients of experts that are frozen are not made") {
    const std::vector<int64_t> borders = {0, 2, 5};
    at::manual_seed(15);
    const at::Tensor x = random({5, 3}).to(at::kFloat).set_requires_grad(true),
                     gate = random({2, 4, 3}).to(at::kFloat), up = random({2, 4, 3}).to(at::kFloat),
                     down = random({2, 3, 4}).to(at::kFloat).set_requires_grad(true);
    ops::swiglu_experts(x, gate, up, down, borders).sum().backward();
    CHECK(x.grad().defined());
    CHECK(down.grad().defined());
    CHECK_FALSE(gate.grad().defined());
    CHECK_THROWS(ops::swiglu_experts(x, gate, up, down, std::vector<int64_t>{0, 6, 5}));
  }

  TEST_CASE("document attention equals its twin for grouped heads and documents of every length") {
    at::manual_seed(4);
    const at::Tensor offsets = at::tensor({0, 1, 2, 19, 40, 57, 80}, at::kLong);
    for (const int64_t head_dim : {5, 16, 33, 64}) {
      const double scale = 0.3;
      check_twins(
          [&](const Tensors& t) {
            return ops::document_attention(t[0], t[1], t[2], offsets, scale);
          },
          [&](const Tensors& t) {
            return ops::eager::document_attention(t[0], t[1], t[2], offsets, scale);
          },
          {random({2, 40, 6, head_dim}),
           random({2, 40, 2, head_dim}),
           random({2, 40, 2, head_dim})},
          5e-5,
          5e-5);
    }
  }

  TEST_CASE("document attention with a window equals its twin") {
    at::manual_seed(14);
    const at::Tensor offsets = at::tensor({0, 1, 3, 20, 37, 110, 190}, at::kLong);
    for (const int64_t window : {1, 2, 7, 16, 33, 72, 73, 80, 500})
      for (const int64_t head_dim : {5, 32}) {
        CAPTURE(window);
        CAPTURE(head_dim);
        check_twins(
            [&](const Tensors& t) {
              return ops::document_attention(t[0], t[1], t[2], offsets, 0.3, window);
            },
            [&](const Tensors& t) {
              return ops::eager::document_attention(t[0], t[1], t[2], offsets, 0.3, window);
            },
            {random({2, 95, 6, head_dim}),
             random({2, 95, 2, head_dim}),
             random({2, 95, 2, head_dim})},
            5e-5,
            5e-5);
      }
  }

  TEST_CASE("a window that no document exceeds changes no bit") {
    at::manual_seed(15);
    const at::Tensor offsets = at::tensor({0, 13, 90}, at::kLong);
    const Tensors inputs = {random({1, 90, 4, 24}), random({1, 90, 4, 24}), random({1, 90, 4, 24})};
    const auto with = [&](int64_t window) {
      return run(
          [&](const Tensors& t) {
            return ops::document_attention(t[0], t[1], t[2], offsets, 0.2, window);
          },
          inputs,
          at::kFloat);
    };
    const Result all = with(0), wide = with(77), narrow = with(76);
    CHECK(at::equal(all.value, wide.value));
    for (size_t i = 0; i < 3; ++i) CHECK(at::equal(all.grads[i], wide.grads[i]));
    CHECK_FALSE(at::equal(all.value, narrow.value));
  }

  TEST_CASE("a window of one token returns its value, and no key is trained by it") {
    at::manual_seed(16);
    const Result one = run(
        [](const Tensors& t) {
          return ops::document_attention(
              t[0], t[1], t[2], at::tensor({0, 41}, at::kLong), 0.5, /*window=*/1);
        },
        {random({1, 41, 2, 8}), random({1, 41, 2, 8}), random({1, 41, 2, 8})},
        at::kFloat);
    at::manual_seed(16);
    random({1, 41, 2, 8});
    random({1, 41, 2, 8});
    MORTISE_CHECK_CLOSE(one.value, random({1, 41, 2, 8}).to(at::kFloat), 1e-6, 1e-6);
    MORTISE_CHECK_CLOSE(one.grads[1], at::zeros({1, 41, 2, 8}), 0, 1e-5);
  }

  TEST_CASE("document attention refuses borders that do not cover the tokens") {
    const at::Tensor x = at::zeros({1, 4, 2, 8});
    CHECK_THROWS(ops::document_attention(x, x, x, at::tensor({0, 3}, at::kLong), 1));
  }

  TEST_CASE(
      "chunked cross-entropy equals its twin with smoothing, z-loss, bias, mask and odd chunks") {
    at::manual_seed(5);
    const at::Tensor targets = at::randint(0, 101, {77}, at::kLong);
    for (const bool masked : {false, true})
      for (const double smoothing : {0.0, 0.1})
        for (const int64_t chunk : {int64_t{0}, int64_t{10}}) {
          const at::Tensor mask = masked ? at::rand({77}) > 0.4 : at::Tensor();
          const ops::CrossEntropyOptions options{smoothing, smoothing > 0 ? 1e-2 : 0.0, chunk};
          check_twins(
              [&](const Tensors& t) {
                return ops::chunked_cross_entropy(t[0], t[1], t[2], targets, mask, options).first;
              },
              [&](const Tensors& t) {
                return ops::eager::cross_entropy(t[0], t[1], t[2], targets, mask, options).first;
              },
              {random({77, 24}), random({101, 24}), random({101})},
              5e-5,
              5e-4);
        }
  }

  TEST_CASE("a batch whose every target is masked has no loss and zero gradients") {
    at::Tensor hidden = at::randn({4, 8}).set_requires_grad(true),
               weight = at::randn({9, 8}).set_requires_grad(true);
    const at::Tensor loss =
        ops::chunked_cross_entropy(
            hidden, weight, {}, at::zeros({4}, at::kLong), at::zeros({4}, at::kBool), {})
            .first;
    loss.backward();
    CHECK(loss.item<float>() == 0);
    CHECK(hidden.grad().abs().max().item<float>() == 0);
    CHECK(weight.grad().abs().max().item<float>() == 0);
  }

  TEST_CASE("a target outside the vocabulary is refused") {
    CHECK_THROWS(ops::chunked_cross_entropy(
        at::zeros({1, 2}), at::zeros({3, 2}), {}, at::full({1}, 3, at::kLong), {}, {}));
  }

  TEST_CASE("as many targets as rows, or the loss is refused: the kernels trust it") {
    const at::Tensor targets = at::zeros({2}, at::kLong);
    CHECK_THROWS(
        ops::chunked_cross_entropy(at::zeros({3, 2}), at::zeros({3, 2}), {}, targets, {}, {}));
    CHECK_THROWS(ops::chunked_log_prob(at::zeros({3, 2}), at::zeros({3, 2}), {}, targets));
  }

  TEST_CASE("16-bit elements are read exactly and rounded as ATen rounds them") {
    // every bit pattern, in rows of 64 beside rows of ones: (a, 1) turned by (cos, 0)
    const at::Tensor all =
        at::arange(-32768, 32768, at::kInt).to(at::kShort).view({1, 1024, 1, 64});
    at::manual_seed(9);
    const at::Tensor cos = at::randn({1024, 64}, at::kFloat),
                     positions = at::arange(1024, at::kLong).unsqueeze(0);
    for (const at::ScalarType dtype : kHalfTypes)
      for (const int64_t half : {64, 61}) {
        CAPTURE(dtype);
        CAPTURE(half);
        const at::Tensor a = all.view(dtype).narrow(3, 0, half),
                         x = at::cat({a, at::ones_like(a)}, 3);
        for (const double scale : {1.0, 1e-3, 1e3}) {
          const at::Tensor factor = cos.narrow(1, 0, half) * scale;
          const at::Tensor y = ops::rope(x, factor, at::zeros_like(factor), positions);
          const at::Tensor expected =
              (a.to(at::kFloat) * factor.view({1, 1024, 1, half})).to(dtype);
          CHECK(at::allclose(y.narrow(3, 0, half), expected, 0, 0, /*equal_nan=*/true));
        }
      }
  }

  TEST_CASE("16-bit norm, rope and SwiGLU are one rounding from their twins in double") {
    at::manual_seed(10);
    for (const int64_t width : {1, 3, 16, 37, 256})
      check_rounded_twins([](const Tensors& t) { return ops::rms_norm(t[0], t[1], 1e-5); },
                          [](const Tensors& t) { return ops::eager::rms_norm(t[0], t[1], 1e-5); },
                          {random({3, 67, width}, 2), random({width}) + 1});
    for (const int64_t head_dim : {2, 10, 32, 66}) {
      const at::Tensor angles = at::rand({20, head_dim / 2}, at::kFloat) * 6,
                       positions = at::randint(0, 20, {2, 9}, at::kLong);
      check_rounded_twins(
          [&](const Tensors& t) { return ops::rope(t[0], angles.cos(), angles.sin(), positions); },
          [&](const Tensors& t) {
            return ops::eager::rope(t[0], angles.cos(), angles.sin(), positions);
          },
          {random({2, 9, 3, head_dim})});
    }
    for (const int64_t n : {1, 5, 1000, 70001})
      check_rounded_twins([](const Tensors& t) { return ops::swiglu(t[0], t[1]); },
                          [](const Tensors& t) { return ops::eager::swiglu(t[0], t[1]); },
                          {random({n}, 4), random({n})});
  }

  TEST_CASE("16-bit linears are one rounding from their twin, sums of gradients one each") {
    at::manual_seed(11);
    for (const int64_t rows : {3, 40}) {
      const Tensors inputs = {random({2, rows, 70}), random({33, 70}), random({20, 70})};
      const auto both = [](const Tensors& y) { return at::cat({y[0], y[1]}, -1); };
      check_rounded_twins(
          [&](const Tensors& t) {
            return both(ops::linears(t[0], {t[1], t[2]}));
          },
          [&](const Tensors& t) {
            return both(ops::eager::linears(t[0], {t[1], t[2]}));
          },
          inputs,
          2,
          1);
      const auto last = [&](const Tensors& t) {
        return ops::linear(t[0], t[1], t[2].select(1, 0));
      };
      check_rounded_twins(last, last, {inputs[0], inputs[1], random({33, 1})}, 2, 0.5);
    }
  }

  TEST_CASE("16-bit attention is a few roundings from its twin in double") {
    at::manual_seed(12);
    const at::Tensor offsets = at::tensor({0, 1, 2, 19, 40, 57, 80}, at::kLong);
    for (const int64_t head_dim : {5, 16, 33, 64}) {
      const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
      check_rounded_twins(  // the result is rounded before the backward pass uses it
          [&](const Tensors& t) {
            return ops::document_attention(t[0], t[1], t[2], offsets, scale);
          },
          [&](const Tensors& t) {
            return ops::eager::document_attention(t[0], t[1], t[2], offsets, scale);
          },
          {random({2, 40, 6, head_dim}),
           random({2, 40, 2, head_dim}),
           random({2, 40, 2, head_dim})},
          4,
          4);
    }
  }

  TEST_CASE("16-bit cross-entropy is a few roundings from its twin in double") {
    at::manual_seed(13);
    const at::Tensor targets = at::randint(0, 101, {77}, at::kLong), mask = at::rand({77}) > 0.4;
    for (const int64_t chunk : {int64_t{0}, int64_t{10}})
      for (const at::Tensor& kept : {at::Tensor(), mask}) {
        const ops::CrossEntropyOptions options{0.1, 1e-2, chunk};
        check_rounded_twins(  // logits are rounded, and so are their gradients
            [&](const Tensors& t) {
              return ops::chunked_cross_entropy(t[0], t[1], t[2], targets, kept, options).first;
            },
            [&](const Tensors& t) {
              return ops::eager::cross_entropy(t[0], t[1], t[2], targets, kept, options).first;
            },
            {random({77, 24}), random({101, 24}, 0.3), random({101})},
            8,
            1);
      }
    const at::Tensor hidden = random({77, 24}), weight = random({101, 24}, 0.3);
    for (const at::ScalarType dtype : kHalfTypes) {
      const at::Tensor h = hidden.to(dtype), w = weight.to(dtype);
      const at::Tensor expected =
          at::log_softmax(at::linear(h.to(at::kDouble), w.to(at::kDouble)), 1)
              .gather(1, targets.unsqueeze(1))
              .squeeze(1);
      MORTISE_CHECK_CLOSE(
          ops::chunked_log_prob(h, w, {}, targets), expected, 0, 8 * rounding(dtype));
    }
  }

  TEST_CASE("bits do not depend on the number of threads") {
    at::manual_seed(6);
    const at::Tensor x = at::randn({300, 64}), w = at::randn({64}),
                     offsets = at::tensor({0, 3, 50, 200}, at::kLong);
    const at::Tensor q = at::randn({2, 100, 4, 16}), kv = at::randn({2, 100, 2, 16});
    Tensors results;
    for (const int threads : {1, 2}) {
      at::set_num_threads(threads);
      at::Tensor leaf = w.detach().clone().set_requires_grad(true),
                 keys = kv.detach().clone().set_requires_grad(true);
      ops::rms_norm(x, leaf, 1e-6).pow(2).sum().backward();
      ops::document_attention(q, keys, keys, offsets, 0.3).pow(2).sum().backward();
      results.insert(results.end(), {leaf.grad(), keys.grad()});
    }
    CHECK(at::equal(results[0], results[2]));
    CHECK(at::equal(results[1], results[3]));
  }
}
