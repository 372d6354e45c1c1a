// Sums of squares against plain loops, and their bits at several thread counts.
#include "mortise/torch/gradients.hpp"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <doctest/doctest.h>

using mortise::sums_of_squares;

namespace {

double slow_sum(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kDouble).contiguous().view({-1});
  double sum = 0;
  for (int64_t i = 0; i < flat.numel(); ++i)
    sum += flat.data_ptr<double>()[i] * flat.data_ptr<double>()[i];
  return sum;
}

}  // namespace

TEST_SUITE("sdk.gradients") {
  TEST_CASE("the sum of each tensor is that of a plain loop, in every dtype and layout") {
    at::manual_seed(3);
    const at::Tensor wide = at::randn({300, 257});
    const std::vector<at::Tensor> tensors = {wide,
                                             wide.t(),
                                             wide.narrow(1, 3, 100),
                                             at::randn({1}).expand({70000}),
                                             wide.to(at::kBFloat16),
                                             wide.to(at::kHalf),
                                             wide.to(at::kDouble),
                                             at::empty({0})};
    const std::vector<double> sums = sums_of_squares(tensors);
    for (size_t i = 0; i < tensors.size(); ++i)
      CHECK(sums[i] == doctest::Approx(slow_sum(tensors[i])).epsilon(1e-12));
  }

  TEST_CASE("the bits are the same at any thread count") {
    at::manual_seed(4);
    std::vector<at::Tensor> tensors;
    for (const int64_t size : {1, 1000, 32768, 32769, 200001}) tensors.push_back(at::randn({size}));
    at::set_num_threads(1);
    const std::vector<double> alone = sums_of_squares(tensors);
    for (const int threads : {2, 3, 5}) {
      at::set_num_threads(threads);
      CHECK(sums_of_squares(tensors) == alone);
    }
    at::set_num_threads(2);
    for (size_t i = 0; i < tensors.size(); ++i) CHECK(sums_of_squares({tensors[i]})[0] == alone[i]);
  }

  TEST_CASE("what is not finite comes through, an undefined gradient is nothing") {
    at::Tensor tensor = at::ones({100});
    tensor[50] = std::numeric_limits<float>::infinity();
    CHECK(std::isinf(sums_of_squares({tensor})[0]));
    tensor[51] = std::nan("");
    CHECK(std::isnan(sums_of_squares({tensor})[0]));
    CHECK(sums_of_squares({at::Tensor()})[0] == 0);
    CHECK(sums_of_squares({}).empty());
  }

  TEST_CASE("squares that fp32 cannot hold are summed") {
    CHECK(sums_of_squares({at::full({4}, 1e30f)})[0] == doctest::Approx(4e60).epsilon(1e-6));
  }
}
