#include "rope.hpp"

#include <cmath>
#include <map>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::PositionArgs;
using mortise::position::rope::Config;
using mortise::position::rope::inverse_frequencies;
using mortise::position::rope::Rope;

namespace {

PositionArgs args_of(int64_t head_dim) {
  PositionArgs args;
  args.head_dim = head_dim;
  return args;
}

}  // namespace

TEST_SUITE("position.rope") {
  TEST_CASE("turns half-split pairs by position times frequency") {
    Rope rope({.theta = 100, .scaling = {}}, args_of(4));
    const at::Tensor q = at::tensor({1.0f, 2.0f, 3.0f, 4.0f}).view({1, 1, 1, 4});
    const auto [turned, key] = rope.rotate(q, q.clone(), at::tensor({7}, at::kLong).view({1, 1}));
    const double angle[] = {7.0, 0.7};  // 100^0, 100^(−1/2)
    for (int64_t i = 0; i < 2; ++i) {
      const double a = 1.0 + static_cast<double>(i), b = 3.0 + static_cast<double>(i);
      const double c = std::cos(angle[i]), s = std::sin(angle[i]);
      CHECK(turned.flatten()[i].item<double>() == doctest::Approx(a * c - b * s).epsilon(1e-5));
      CHECK(turned.flatten()[i + 2].item<double>() == doctest::Approx(b * c + a * s).epsilon(1e-5));
    }
    CHECK(at::equal(turned, key));
  }

  TEST_CASE("position zero leaves the input as it is") {
    Rope rope({}, args_of(6));
    const at::Tensor q = at::arange(24, at::kFloat).view({1, 2, 2, 6});
    const auto [turned, key] = rope.rotate(q.clone(), q.clone(), at::zeros({1, 2}, at::kLong));
    CHECK(at::equal(turned, q));
    CHECK(at::equal(key, q));
  }

  TEST_CASE("linear scaling divides every frequency") {
    const at::Tensor plain = inverse_frequencies({}, 8);
    const at::Tensor scaled =
        inverse_frequencies({.theta = 10000, .scaling = {.type = "linear", .factor = 2.5}}, 8);
    CHECK((plain / scaled - 2.5).abs().max().item<float>() < 1e-5f);
  }

  TEST_CASE("llama3 scaling keeps short waves, divides long ones and blends between") {
    const Config config = {.theta = 10000,
                           .scaling = {.type = "llama3",
                                       .factor = 8,
                                       .low_freq_factor = 1,
                                       .high_freq_factor = 4,
                                       .original_max_position = 100}};
    const at::Tensor scaled = inverse_frequencies(config, 16);
    bool kept = false, divided = false, blended = false;
    for (int64_t i = 0; i < 8; ++i) {
      const double f = std::pow(10000.0, -2.0 * static_cast<double>(i) / 16);
      const double wavelength = 2 * 3.14159265358979 / f;
      double expected = f;
      if (wavelength > 100) {
        expected = f / 8;
        divided = true;
      } else if (wavelength >= 25) {
        const double s = (100 / wavelength - 1) / 3;
        expected = (1 - s) * f / 8 + s * f;
        blended = true;
      } else {
        kept = true;
      }
      CHECK(scaled[i].item<double>() == doctest::Approx(expected).epsilon(1e-5));
    }
    CHECK((kept && divided && blended));
  }

  TEST_CASE("layers with equal parameters share one table, and it grows by need") {
    std::map<std::string, std::shared_ptr<mortise::Component>> shared;
    PositionArgs args = args_of(4);
    args.build.shared = &shared;
    args.build.max_seq_len = 3;
    Rope first({}, args), second({}, args), other({.theta = 500, .scaling = {}}, args);
    CHECK(shared.size() == 2);
    const at::Tensor q = at::ones({1, 1, 1, 4});
    const auto far = first.rotate(q.clone(), q.clone(), at::full({1, 1}, 1000, at::kLong));
    CHECK(far.first.flatten()[0].item<double>() ==
          doctest::Approx(std::cos(1000.0) - std::sin(1000.0)).epsilon(1e-4));
  }

  TEST_CASE("a table made in inference mode serves autograd later") {
    Rope rope({}, args_of(4));
    {
      const c10::InferenceMode inference;
      const at::Tensor q = at::ones({1, 1, 1, 4});
      rope.rotate(q, q.clone(), at::ones({1, 1}, at::kLong));
    }
    const at::Tensor q = at::ones({1, 1, 1, 4}).set_requires_grad(true);
    const auto turned = rope.rotate(q, q * 1, at::ones({1, 1}, at::kLong));
    (turned.first.sum() + turned.second.sum()).backward();
    CHECK(q.grad().defined());
  }

  TEST_CASE("an odd head width is refused") {
    CHECK_THROWS_WITH_AS(
        Rope({}, args_of(5)), doctest::Contains("must be even, got 5"), mortise::Error);
  }
}
