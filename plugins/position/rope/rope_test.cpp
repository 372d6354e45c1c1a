#include "rope.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::PositionArgs;
using mortise::position::rope::Config;
using mortise::position::rope::inverse_frequencies;
using mortise::position::rope::Rope;
using mortise::position::rope::Scaling;

namespace {

PositionArgs args_of(int64_t head_dim) {
  PositionArgs args;
  args.head_dim = head_dim;
  return args;
}

}  // namespace

TEST_SUITE("position.rope") {
  TEST_CASE("turns half-split pairs by position times frequency") {
    Rope rope({.theta = 100, .fraction = 1, .scaling = {}}, args_of(4));
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
    Scaling linear;
    linear.type = "linear";
    linear.factor = 2.5;
    const at::Tensor scaled =
        inverse_frequencies({.theta = 10000, .fraction = 1, .scaling = linear}, 8);
    CHECK((plain / scaled - 2.5).abs().max().item<float>() < 1e-5f);
  }

  TEST_CASE("llama3 scaling keeps short waves, divides long ones and blends between") {
    Config config;
    config.scaling.type = "llama3";
    config.scaling.factor = 8;
    config.scaling.original_max_position = 100;
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

  TEST_CASE("yarn keeps what turns often, divides what turns seldom, and scales the result") {
    Config config;
    config.theta = 500;
    config.scaling.type = "yarn";
    config.scaling.factor = 4;
    config.scaling.original_max_position = 64;
    config.scaling.beta_fast = 4;
    config.scaling.beta_slow = 0.5;
    for (const bool truncate : {true, false}) {
      CAPTURE(truncate);
      config.scaling.truncate = truncate;
      const at::Tensor scaled = inverse_frequencies(config, 16);
      const auto pair_of = [](double turns) {
        return 16 * std::log(64 / (turns * 2 * 3.14159265358979)) / (2 * std::log(500.0));
      };
      const double low = truncate ? std::floor(pair_of(4)) : pair_of(4),
                   high = truncate ? std::ceil(pair_of(0.5)) : pair_of(0.5);
      int64_t kept = 0, divided = 0, blended = 0;
      for (int64_t i = 0; i < 8; ++i) {
        const double f = std::pow(500.0, -2.0 * static_cast<double>(i) / 16);
        const double ramp =
            std::min(1.0, std::max(0.0, (static_cast<double>(i) - low) / (high - low)));
        CHECK(scaled[i].item<double>() ==
              doctest::Approx(f / 4 * ramp + f * (1 - ramp)).epsilon(1e-5));
        (ramp == 0 ? kept : ramp == 1 ? divided : blended) += 1;
      }
      CHECK((kept > 0 && divided > 0 && blended > 0));
    }
    const at::Tensor q = at::ones({1, 1, 1, 16}), zero = at::zeros({1, 1}, at::kLong);
    Rope rope(config, args_of(16));
    CHECK(rope.rotate(q.clone(), q.clone(), zero).first.flatten()[0].item<double>() ==
          doctest::Approx(0.1 * std::log(4.0) + 1).epsilon(1e-6));
    config.scaling.attention_factor = 0.75;
    Rope given(config, args_of(16));
    CHECK(given.rotate(q.clone(), q.clone(), zero).first.flatten()[0].item<double>() == 0.75);
  }

  TEST_CASE("dynamic scaling stretches theta by the length of the text, and back") {
    Config config;
    config.theta = 100;
    config.scaling.type = "dynamic";
    config.scaling.factor = 3;
    config.scaling.original_max_position = 8;
    Rope rope(config, args_of(6));
    const at::Tensor q = at::ones({1, 1, 1, 6});
    const auto first_of = [&](int64_t position, int64_t pair) {
      const at::Tensor turned =
          rope.rotate(q.clone(), q.clone(), at::full({1, 1}, position, at::kLong)).first;
      return turned.flatten()[pair].item<double>();
    };
    const auto expected = [](int64_t position, int64_t pair, double theta) {
      const double angle =
          static_cast<double>(position) * std::pow(theta, -2.0 * static_cast<double>(pair) / 6);
      return std::cos(angle) - std::sin(angle);
    };
    for (const int64_t position : {3, 7, 19, 20, 19, 7}) {
      CAPTURE(position);
      const double length = static_cast<double>(position + 1);
      const double theta =
          length <= 8 ? 100 : 100 * std::pow(3 * length / 8 - 2, 6.0 / 4);  // K / (K − 2)
      for (int64_t pair = 0; pair < 3; ++pair)
        CHECK(first_of(position, pair) ==
              doctest::Approx(expected(position, pair, theta)).epsilon(1e-4));
    }
  }

  TEST_CASE("a fraction turns the first components and passes the rest, gradients too") {
    Config config;
    config.theta = 100;
    config.fraction = 0.5;
    Rope part(config, args_of(8)), whole({.theta = 100, .fraction = 1, .scaling = {}}, args_of(4));
    const at::Tensor q = at::arange(1, 17, at::kFloat).view({1, 1, 2, 8}).set_requires_grad(true);
    const at::Tensor position = at::full({1, 1}, 5, at::kLong);
    const at::Tensor turned = part.rotate(q * 1, q * 1, position).first;
    const at::Tensor first = q.detach().narrow(3, 0, 4).contiguous();
    CHECK(at::equal(turned.detach().narrow(3, 0, 4), whole.rotate(first, first, position).first));
    CHECK(at::equal(turned.detach().narrow(3, 4, 4), q.detach().narrow(3, 4, 4)));
    turned.narrow(3, 4, 4).sum().backward();
    CHECK(at::equal(q.grad().narrow(3, 4, 4), at::ones({1, 1, 2, 4})));
    CHECK(q.grad().narrow(3, 0, 4).abs().max().item<float>() == 0);
  }

  TEST_CASE("an embedding cannot use it") {
    CHECK_THROWS_WITH_AS(
        Rope({}, args_of(0)), doctest::Contains("give it to the attention"), mortise::Error);
  }

  TEST_CASE("layers with equal parameters share one table, and it grows by need") {
    std::map<std::string, std::shared_ptr<mortise::Component>> shared;
    PositionArgs args = args_of(4);
    args.build.shared = &shared;
    args.build.max_seq_len = 3;
    Rope first({}, args), second({}, args),
        other({.theta = 500, .fraction = 1, .scaling = {}}, args);
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
        Rope({}, args_of(5)), doctest::Contains("must be even, got 5 of 5"), mortise::Error);
  }
}
