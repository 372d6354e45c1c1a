// Rows to their paths and back, against plain sums in double and central differences.
#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/torch/routing.hpp"

#include "tests/support/close.hpp"

using namespace mortise;

namespace {

/// Items of 7 rows, out of order, one twice more than others, two never.
at::Tensor places() { return at::tensor({3, 0, 3, 6, 1, 3, 0, 5}, at::kLong); }

}  // namespace

TEST_SUITE("routing.dispatch") {
  TEST_CASE("a weighted sum equals the loop, in every element type, for any width") {
    at::manual_seed(2);
    for (const int64_t width : {1, 7, 8, 19}) {
      for (const at::ScalarType dtype : {at::kFloat, at::kDouble, at::kBFloat16}) {
        const at::Tensor out_MD = at::randn({8, width}).to(dtype), weight_M = at::randn({8});
        const at::Tensor y_ND = combine_items(out_MD, weight_M, places(), 7);
        CHECK((y_ND.scalar_type() == dtype));
        at::Tensor expected = at::zeros({7, width}, at::kDouble);
        for (int64_t m = 0; m < 8; ++m)
          expected[places()[m].item<int64_t>()] +=
              out_MD[m].to(at::kDouble) * weight_M[m].item<double>();
        const double tolerance = dtype == at::kBFloat16 ? 1e-2 : 1e-6;
        MORTISE_CHECK_CLOSE(y_ND, expected, tolerance, tolerance);
      }
    }
  }

  TEST_CASE("gradients of gather and sum equal central differences") {
    at::manual_seed(3);
    const at::Tensor x_ND = at::randn({7, 9}, at::kDouble).requires_grad_(true);
    const at::Tensor weight_M = at::randn({8}, at::kDouble).requires_grad_(true);
    const at::Tensor probe = at::randn({7, 9}, at::kDouble);
    const auto value = [&](const at::Tensor& x, const at::Tensor& w) {
      return (combine_items(gather_items(x, places()).square(), w, places(), 7) * probe).sum();
    };
    value(x_ND, weight_M).backward();
    const at::NoGradGuard no_grad;
    const auto check = [&](const at::Tensor& tensor, const auto& at_moved) {
      const at::Tensor grad = tensor.grad().reshape({-1});
      for (int64_t i = 0; i < tensor.numel(); ++i) {
        const auto moved = [&](double step) {
          at::Tensor copy = tensor.detach().clone();
          copy.view({-1})[i] += step;
          return at_moved(copy).template item<double>();
        };
        CHECK(grad[i].item<double>() ==
              doctest::Approx((moved(1e-6) - moved(-1e-6)) / 2e-6).epsilon(1e-5));
      }
    };
    check(x_ND, [&](const at::Tensor& x) { return value(x, weight_M); });
    check(weight_M, [&](const at::Tensor& w) { return value(x_ND, w); });
  }

  TEST_CASE("no assignments give zeros") {
    const at::Tensor none = at::empty({0}, at::kLong);
    CHECK(combine_items(at::empty({0, 4}), at::empty({0}), none, 3).equal(at::zeros({3, 4})));
    CHECK(gather_items(at::ones({3, 4}), none).size(0) == 0);
  }
}
