// MORTISE_CHECK_CLOSE(actual, expected, rtol, atol): compares tensors, and says how far off and
// where.
#pragma once

#include <sstream>
#include <string>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

namespace mortise::test {

/// Empty when |actual − expected| ≤ atol + rtol·|expected| everywhere (NaN never is); otherwise the
/// worst place.
inline std::string difference(const at::Tensor& actual,
                              const at::Tensor& expected,
                              double rtol,
                              double atol) {
  std::ostringstream out;
  if (actual.sizes() != expected.sizes()) {
    out << "shapes differ: " << actual.sizes() << " and " << expected.sizes();
    return out.str();
  }
  const at::Tensor a = actual.detach().to(at::kDouble).flatten(),
                   e = expected.detach().to(at::kDouble).flatten();
  const at::Tensor excess = (a - e).abs() - (atol + rtol * e.abs());
  const at::Tensor bad = (excess <= 0).logical_not();  // also catches NaN
  if (!bad.any().item<bool>()) return "";
  const int64_t worst = at::where(bad,
                                  at::where(excess.isnan(), at::full_like(excess, 1e300), excess),
                                  at::full_like(excess, -1e300))
                            .argmax()
                            .item<int64_t>();
  out << "largest difference " << (a[worst] - e[worst]).item<double>() << " at " << worst << " of "
      << a.numel() << ": " << a[worst].item<double>() << " instead of " << e[worst].item<double>()
      << ", " << bad.sum().item<int64_t>() << " elements are off";
  return out.str();
}

}  // namespace mortise::test

#define MORTISE_CHECK_CLOSE(actual, expected, rtol, atol)                                       \
  do {                                                                                          \
    const std::string mortise_diff = ::mortise::test::difference(actual, expected, rtol, atol); \
    CHECK_MESSAGE(mortise_diff.empty(), #actual << ": " << mortise_diff);                       \
  } while (false)
