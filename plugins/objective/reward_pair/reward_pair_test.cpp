#include "reward_pair.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/torch/testing.hpp"

using namespace mortise;  // NOLINT: a test file
using objective::reward_pair::RewardPair;

namespace {

constexpr int64_t kWidth = 3, kTokens = 8;

/// Two pairs, the second with its rejected answer first, and one token of padding.
struct Case {
  at::Tensor hidden = (at::manual_seed(6), at::randn({kTokens, kWidth}, at::kDouble));
  testing::MatrixHead head{at::randn({1, kWidth}, at::kDouble), true};

  ObjectiveInput input() {
    ObjectiveInput in;
    in.hidden_ND = hidden;
    in.head = &head;
    in.targets_N = at::zeros({kTokens}, at::kLong);
    in.samples_N = at::tensor({0, 0, 1, 2, 2, 2, 3, -1}, at::kLong);
    in.pairs_S = at::tensor({0, 0, 7, 7}, at::kLong);
    in.chosen_S = at::tensor({1, 0, 0, 1}, at::kLong).to(at::kBool);
    in.normaliser = 2;
    return in;
  }

  double reward(const std::vector<int64_t>& tokens) const {
    double sum = 0;
    for (const int64_t token : tokens)
      for (int64_t d = 0; d < kWidth; ++d)
        sum += hidden[token][d].item<double>() * head.weight()[0][d].item<double>();
    return sum / static_cast<double>(tokens.size());
  }
};

double slow_sum(const Case& c, const RewardPair::Config& config) {
  const bool mean = config.pooling == "mean";
  const double r0 = c.reward(mean ? std::vector<int64_t>{0, 1} : std::vector<int64_t>{1}),
               r1 = c.reward({2}),
               r2 = c.reward(mean ? std::vector<int64_t>{3, 4, 5} : std::vector<int64_t>{5}),
               r3 = c.reward({6});
  const auto loss = [&](double better, double worse) {
    return std::log(1 + std::exp(-(better - worse - config.margin))) +
           config.centre * std::pow(better + worse, 2);
  };
  return loss(r0, r1) + loss(r3, r2);
}

const std::vector<RewardPair::Config> kConfigs = {{}, {"mean", 0.5, 0.1}, {"last", 1, 0}};

}  // namespace

TEST_SUITE("objective.reward_pair") {
  TEST_CASE("the loss is the formula's") {
    for (const RewardPair::Config& config : kConfigs) {
      Case c;
      const ObjectiveOutput out = RewardPair(config).forward(c.input());
      CHECK(out.loss_sum.item<double>() == doctest::Approx(slow_sum(c, config)).epsilon(1e-12));
      CHECK(out.loss.item<double>() == doctest::Approx(slow_sum(c, config) / 2).epsilon(1e-12));
    }
  }

  TEST_CASE("gradients are those of central differences, and none reaches padding") {
    for (const RewardPair::Config& config : kConfigs) {
      Case c;
      at::Tensor point = c.hidden.clone();
      c.hidden = c.hidden.detach().set_requires_grad(true);
      RewardPair(config).forward(c.input()).loss.backward();
      const at::Tensor gradient = c.hidden.grad();
      c.hidden = point;
      CHECK(testing::gradient_error(point, gradient, [&] {
              return RewardPair(config).forward(c.input()).loss.item<double>();
            }) < 1e-8);
      CHECK(gradient[7].abs().sum().item<double>() == 0);
    }
  }

  TEST_CASE("the sum does not depend on how the pairs are cut") {
    Case c;
    for (const RewardPair::Config& config : kConfigs) {
      RewardPair objective(config);
      const double whole = objective.forward(c.input()).loss.item<double>();
      const double parts =
          objective.forward(testing::part_of(c.input(), 0, 2)).loss.item<double>() +
          objective.forward(testing::part_of(c.input(), 2, 2)).loss.item<double>();
      CHECK(whole == doctest::Approx(parts).epsilon(1e-12));
    }
  }

  TEST_CASE("accuracy and margin are of the chosen answer over the other") {
    Case c;
    c.hidden = at::zeros({kTokens, kWidth}, at::kDouble);
    c.head.set_weight(at::ones({1, kWidth}, at::kDouble));
    c.hidden[1][0] = 2;  // chosen of the first pair: 2 against 0
    c.hidden[5][0] = 3;  // rejected of the second: 0 against 3
    const ObjectiveOutput out = RewardPair({}).forward(c.input());
    CHECK(out.parts[0].value.item<double>() == 1);
    CHECK(out.parts[1].value.item<double>() == doctest::Approx(-1));
  }

  TEST_CASE("a head with several outputs is refused") {
    Case c;
    c.head.set_weight(at::ones({4, kWidth}, at::kDouble));
    CHECK_THROWS_WITH_AS(RewardPair({}).forward(c.input()),
                         doctest::Contains("a reward is one number, and the head has 4 outputs"),
                         Error);
  }
}
