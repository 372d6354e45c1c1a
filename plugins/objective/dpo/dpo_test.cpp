#include "dpo.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/torch/testing.hpp"

using namespace mortise;  // NOLINT: a test file
using objective::dpo::Dpo;

namespace {

constexpr int64_t kWidth = 3, kVocab = 7, kTokens = 13;

/// Two pairs, the second with its rejected answer first; prompts masked, one token of padding.
struct Case {
  at::Tensor hidden = (at::manual_seed(4), at::randn({kTokens, kWidth}, at::kDouble));
  at::Tensor reference_hidden = at::randn({kTokens, kWidth}, at::kDouble);
  testing::MatrixHead head{at::randn({kVocab, kWidth}, at::kDouble), false};
  testing::MatrixHead reference_head{at::randn({kVocab, kWidth}, at::kDouble), false};

  ObjectiveInput input() {
    ObjectiveInput in;
    in.hidden_ND = hidden;
    in.head = &head;
    in.targets_N = at::arange(kTokens, at::kLong) * 5 % kVocab;
    in.samples_N = at::tensor({0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, -1}, at::kLong);
    in.mask_N = at::tensor({0, 1, 1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 0}, at::kLong).to(at::kBool);
    in.pairs_S = at::tensor({5, 5, 9, 9}, at::kLong);
    in.chosen_S = at::tensor({1, 0, 0, 1}, at::kLong).to(at::kBool);
    in.references.push_back({"base", reference_hidden, &reference_head});
    in.normaliser = 2;
    return in;
  }
};

double log_prob(const at::Tensor& hidden, const at::Tensor& weight, int64_t target) {
  double total = 0, own = 0;
  for (int64_t v = 0; v < kVocab; ++v) {
    double score = 0;
    for (int64_t d = 0; d < kWidth; ++d)
      score += hidden[d].item<double>() * weight[v][d].item<double>();
    total += std::exp(score);
    if (v == target) own = score;
  }
  return own - std::log(total);
}

double slow_sum(Case& c, const Dpo::Config& config) {
  const ObjectiveInput in = c.input();
  std::vector<double> gain(4, 0.0);
  for (int64_t i = 0; i < kTokens; ++i) {
    if (!in.mask_N[i].item<bool>()) continue;
    const auto target = in.targets_N[i].item<int64_t>();
    gain[static_cast<size_t>(in.samples_N[i].item<int64_t>())] +=
        log_prob(c.hidden[i], c.head.weight(), target) -
        log_prob(c.reference_hidden[i], c.reference_head.weight(), target);
  }
  double sum = 0;
  for (const double margin : {gain[0] - gain[1], gain[3] - gain[2]}) {
    const double x = config.beta * margin;
    if (config.loss == "ipo")
      sum += std::pow(margin - 1 / (2 * config.beta), 2);
    else
      sum += (1 - config.label_smoothing) * std::log(1 + std::exp(-x)) +
             config.label_smoothing * std::log(1 + std::exp(x));
  }
  return sum;
}

const std::vector<Dpo::Config> kConfigs = {
    {}, {0.7, "sigmoid", 0.1, "base", 2}, {0.3, "ipo", 0, "", 3}};

}  // namespace

TEST_SUITE("objective.dpo") {
  TEST_CASE("the loss is the formula's, in chunks of any size") {
    for (const Dpo::Config& config : kConfigs) {
      Case c;
      const ObjectiveOutput out = Dpo(config).forward(c.input());
      CHECK(out.loss_sum.item<double>() == doctest::Approx(slow_sum(c, config)).epsilon(1e-10));
      CHECK(out.loss.item<double>() == doctest::Approx(slow_sum(c, config) / 2).epsilon(1e-10));
      if (config.chunk > 0) CHECK(c.head.longest() <= config.chunk);
    }
  }

  TEST_CASE("gradients are those of central differences, and none reaches a prompt") {
    for (const Dpo::Config& config : kConfigs) {
      Case c;
      at::Tensor point = c.hidden.clone(), weight = c.head.weight();
      c.hidden = c.hidden.detach().set_requires_grad(true);
      weight.set_requires_grad(true);
      Dpo(config).forward(c.input()).loss.backward();
      const at::Tensor gradient = c.hidden.grad(), weight_gradient = weight.grad();
      c.hidden = point;
      weight.set_requires_grad(false);
      const auto value = [&] { return Dpo(config).forward(c.input()).loss.item<double>(); };
      CHECK(testing::gradient_error(point, gradient, value) < 1e-7);
      CHECK(testing::gradient_error(weight, weight_gradient, value) < 1e-7);
      CHECK(gradient[0].abs().sum().item<double>() == 0);
      CHECK(gradient[12].abs().sum().item<double>() == 0);
    }
  }

  TEST_CASE("the sum does not depend on how the pairs are cut") {
    Case c;
    for (const Dpo::Config& config : kConfigs) {
      Dpo objective(config);
      const double whole = objective.forward(c.input()).loss.item<double>();
      const double parts =
          objective.forward(testing::part_of(c.input(), 0, 2)).loss.item<double>() +
          objective.forward(testing::part_of(c.input(), 2, 2)).loss.item<double>();
      CHECK(whole == doctest::Approx(parts).epsilon(1e-12));
    }
  }

  TEST_CASE("where nothing has moved the loss is log 2 and the margin nought") {
    Case c;
    c.reference_hidden = c.hidden;
    c.reference_head.set_weight(c.head.weight());
    const ObjectiveOutput out = Dpo({}).forward(c.input());
    CHECK(out.loss.item<double>() == doctest::Approx(std::log(2.0)).epsilon(1e-12));
    CHECK(out.parts[1].value.item<double>() == doctest::Approx(0));
  }

  TEST_CASE("a missing reference, missing pairs and half a pair are refused") {
    Case c;
    ObjectiveInput in = c.input();
    in.references.clear();
    CHECK_THROWS_WITH_AS(Dpo({}).forward(in),
                         doctest::Contains("needs one [reference.NAME]; there are: none"),
                         Error);
    CHECK_THROWS_WITH_AS(Dpo({.reference = "old"}).forward(c.input()),
                         doctest::Contains("needs [reference.old]; there are: base"),
                         Error);
    in = c.input();
    in.pairs_S = at::Tensor();
    CHECK_THROWS_WITH_AS(Dpo({}).forward(in), doctest::Contains("the data has no pairs"), Error);
    in.pairs_S = at::tensor({5, 5, 9, 8}, at::kLong);
    CHECK_THROWS_WITH_AS(Dpo({}).forward(in), doctest::Contains("has no partner"), Error);
  }
}
