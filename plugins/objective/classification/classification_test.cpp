#include "classification.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/torch/testing.hpp"

using namespace mortise;  // NOLINT: a test file
using objective::classification::Classification;

namespace {

constexpr int64_t kWidth = 3, kLabels = 4;

/// Samples of 2, 1 and 3 tokens with one padded token between the last two.
struct Case {
  at::Tensor hidden = (at::manual_seed(2), at::randn({7, kWidth}, at::kDouble));
  testing::MatrixHead head{at::randn({kLabels, kWidth}, at::kDouble), true};

  ObjectiveInput input() {
    ObjectiveInput in;
    in.hidden_ND = hidden;
    in.head = &head;
    in.targets_N = at::zeros({7}, at::kLong);
    in.samples_N = at::tensor({0, 0, 1, -1, 2, 2, 2}, at::kLong);
    in.labels_S = at::tensor({3, 0, 2}, at::kLong);
    in.normaliser = 3;
    return in;
  }
};

/// Σ w · smoothed cross-entropy, one sample after another, by exp and log.
double slow_sum(Case& c, const Classification::Config& config) {
  const ObjectiveInput in = c.input();
  double sum = 0;
  for (int64_t s = 0; s < 3; ++s) {
    std::vector<int64_t> places;
    for (int64_t i = 0; i < 7; ++i)
      if (in.samples_N[i].item<int64_t>() == s) places.push_back(i);
    std::vector<double> scores(kLabels, 0.0);
    for (int64_t k = 0; k < kLabels; ++k)
      for (int64_t d = 0; d < kWidth; ++d) {
        double x = c.hidden[places.back()][d].item<double>();
        if (config.pooling == "mean") {
          x = 0;
          for (const int64_t place : places) x += c.hidden[place][d].item<double>();
          x /= static_cast<double>(places.size());
        }
        scores[static_cast<size_t>(k)] += x * c.head.weight()[k][d].item<double>();
      }
    double total = 0, mean = 0;
    for (const double score : scores) total += std::exp(score);
    for (const double score : scores) mean += (score - std::log(total)) / kLabels;
    const auto label = static_cast<size_t>(in.labels_S[s].item<int64_t>());
    const double loss = -(1 - config.label_smoothing) * (scores[label] - std::log(total)) -
                        config.label_smoothing * mean;
    sum += loss * (config.class_weights.empty() ? 1 : config.class_weights[label]);
  }
  return sum;
}

const std::vector<Classification::Config> kConfigs = {
    {}, {"mean", {}, 0}, {"last", {0.5, 1, 2, 3}, 0.2}};

}  // namespace

TEST_SUITE("objective.classification") {
  TEST_CASE("the loss is the formula's, sample by sample") {
    for (const auto& config : kConfigs) {
      Case c;
      const ObjectiveOutput out = Classification(config).forward(c.input());
      CHECK(out.loss_sum.item<double>() == doctest::Approx(slow_sum(c, config)).epsilon(1e-12));
      CHECK(out.loss.item<double>() == doctest::Approx(slow_sum(c, config) / 3).epsilon(1e-12));
    }
  }

  TEST_CASE("gradients are those of central differences, and none reaches padding") {
    for (const auto& config : kConfigs) {
      Case c;
      at::Tensor point = c.hidden.clone();
      c.hidden = c.hidden.detach().set_requires_grad(true);
      Classification(config).forward(c.input()).loss.backward();
      const at::Tensor gradient = c.hidden.grad();
      c.hidden = point;
      CHECK(testing::gradient_error(point, gradient, [&] {
              return Classification(config).forward(c.input()).loss.item<double>();
            }) < 1e-8);
      CHECK(gradient[3].abs().sum().item<double>() == 0);
    }
  }

  TEST_CASE("the sum does not depend on how the batch is cut") {
    Case c;
    for (const auto& config : kConfigs) {
      Classification objective(config);
      const double whole = objective.forward(c.input()).loss.item<double>();
      const double parts =
          objective.forward(testing::part_of(c.input(), 0, 1)).loss.item<double>() +
          objective.forward(testing::part_of(c.input(), 1, 2)).loss.item<double>();
      CHECK(whole == doctest::Approx(parts).epsilon(1e-12));
    }
  }

  TEST_CASE("accuracy counts the samples whose class scores highest") {
    Case c;
    c.head.set_weight(at::eye(kLabels, kWidth, at::kDouble));
    c.hidden = at::zeros({7, kWidth}, at::kDouble);
    c.hidden[2][0] = 1;  // sample 1 → class 0, which is right
    c.hidden[6][1] = 1;  // sample 2 → class 1, and it is 2
    const ObjectiveOutput out = Classification({}).forward(c.input());
    REQUIRE(out.parts.size() == 1);
    CHECK(out.parts[0].name == "accuracy");
    CHECK(out.parts[0].value.item<double>() == 1);
  }

  TEST_CASE("data without labels, and labels without outputs, are refused") {
    Case c;
    ObjectiveInput in = c.input();
    in.labels_S = at::tensor({3, 4, 0}, at::kLong);
    CHECK_THROWS_WITH_AS(Classification({}).forward(in),
                         doctest::Contains("the label 4; the head has 4 outputs, for 0 to 3"),
                         Error);
    in.labels_S = at::tensor({3, -1, 0}, at::kLong);
    CHECK_THROWS_WITH_AS(
        Classification({}).forward(in), doctest::Contains("has no number `label`"), Error);
    in.labels_S = at::Tensor();
    CHECK_THROWS_WITH_AS(
        Classification({}).forward(in), doctest::Contains("none has a number `label`"), Error);
    CHECK_THROWS_WITH_AS(Classification({"last", {1, 2}, 0}).forward(c.input()),
                         doctest::Contains("class_weights has 2 numbers and the head 4 outputs"),
                         Error);
  }
}
