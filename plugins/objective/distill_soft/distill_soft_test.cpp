#include "distill_soft.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/torch/testing.hpp"

using namespace mortise;  // NOLINT: a test file
using objective::distill_soft::DistillSoft;

namespace {

constexpr int64_t kWidth = 3, kVocab = 6, kTokens = 9;

struct Case {
  at::Tensor hidden = (at::manual_seed(8), at::randn({kTokens, kWidth}, at::kDouble));
  at::Tensor teacher_hidden = at::randn({kTokens, 2}, at::kDouble);  // of another width
  testing::MatrixHead head{at::randn({kVocab, kWidth}, at::kDouble), true};
  testing::MatrixHead teacher_head{at::randn({kVocab, 2}, at::kDouble), false};

  ObjectiveInput input() {
    ObjectiveInput in;
    in.hidden_ND = hidden;
    in.head = &head;
    in.targets_N = at::arange(kTokens, at::kLong) * 5 % kVocab;
    in.samples_N = at::tensor({0, 0, 0, 1, 1, 1, 1, 1, 1}, at::kLong);
    in.mask_N = at::tensor({0, 1, 1, 0, 1, 1, 0, 1, 1}, at::kLong).to(at::kBool);
    in.references.push_back({"teacher", teacher_hidden, &teacher_head});
    in.normaliser = 6;
    return in;
  }
};

std::vector<double> probabilities(const at::Tensor& hidden, const at::Tensor& weight, double t) {
  std::vector<double> p;
  double total = 0;
  for (int64_t v = 0; v < weight.size(0); ++v) {
    double score = 0;
    for (int64_t d = 0; d < weight.size(1); ++d)
      score += hidden[d].item<double>() * weight[v][d].item<double>() / t;
    p.push_back(std::exp(score));
    total += p.back();
  }
  for (double& each : p) each /= total;
  return p;
}

double slow_sum(Case& c, const DistillSoft::Config& config) {
  const ObjectiveInput in = c.input();
  const double t = config.temperature;
  double sum = 0;
  for (int64_t i = 0; i < kTokens; ++i) {
    if (!in.mask_N[i].item<bool>()) continue;
    const auto student = probabilities(c.hidden[i], c.head.weight(), t),
               teacher = probabilities(c.teacher_hidden[i], c.teacher_head.weight(), t);
    double kl = 0;
    for (size_t v = 0; v < student.size(); ++v)
      kl += teacher[v] * std::log(teacher[v] / student[v]);
    const auto plain = probabilities(c.hidden[i], c.head.weight(), 1);
    sum +=
        config.alpha * t * t * kl -
        (1 - config.alpha) * std::log(plain[static_cast<size_t>(in.targets_N[i].item<int64_t>())]);
  }
  return sum;
}

const std::vector<DistillSoft::Config> kConfigs = {
    {}, {1, 1, "teacher", 2}, {3, 0.3, "", 4}, {2, 0, "", 0}};

}  // namespace

TEST_SUITE("objective.distill_soft") {
  TEST_CASE("the loss is the formula's, in chunks of any size") {
    for (const DistillSoft::Config& config : kConfigs) {
      Case c;
      const ObjectiveOutput out = DistillSoft(config).forward(c.input());
      CHECK(out.loss_sum.item<double>() == doctest::Approx(slow_sum(c, config)).epsilon(1e-10));
      CHECK(out.loss.item<double>() == doctest::Approx(slow_sum(c, config) / 6).epsilon(1e-10));
      if (config.chunk > 0) {
        CHECK(c.head.longest() <= config.chunk);
        CHECK(c.teacher_head.longest() <= config.chunk);
      }
    }
  }

  TEST_CASE("gradients of hidden states and head are those of central differences") {
    for (const DistillSoft::Config& config : kConfigs) {
      Case c;
      at::Tensor point = c.hidden.clone(), weight = c.head.weight();
      c.hidden = c.hidden.detach().set_requires_grad(true);
      weight.set_requires_grad(true);
      DistillSoft(config).forward(c.input()).loss.backward();
      const at::Tensor gradient = c.hidden.grad(), weight_gradient = weight.grad();
      c.hidden = point;
      weight.set_requires_grad(false);
      const auto value = [&] { return DistillSoft(config).forward(c.input()).loss.item<double>(); };
      CHECK(testing::gradient_error(point, gradient, value) < 1e-7);
      CHECK(testing::gradient_error(weight, weight_gradient, value) < 1e-7);
      CHECK(gradient[0].abs().sum().item<double>() == 0);  // masked
    }
  }

  TEST_CASE("the sum does not depend on how the batch is cut") {
    Case c;
    for (const DistillSoft::Config& config : kConfigs) {
      DistillSoft objective(config);
      const double whole = objective.forward(c.input()).loss.item<double>();
      const double parts =
          objective.forward(testing::part_of(c.input(), 0, 1)).loss.item<double>() +
          objective.forward(testing::part_of(c.input(), 1, 1)).loss.item<double>();
      CHECK(whole == doctest::Approx(parts).epsilon(1e-12));
    }
  }

  TEST_CASE("a student that is its teacher has no divergence") {
    Case c;
    c.teacher_hidden = c.hidden;
    c.teacher_head.set_weight(c.head.weight());
    const ObjectiveOutput out = DistillSoft({.alpha = 1}).forward(c.input());
    CHECK(std::abs(out.loss.item<double>()) < 1e-12);
  }

  TEST_CASE("a teacher with another vocabulary is refused with both sizes") {
    Case c;
    c.teacher_head.set_weight(at::randn({kVocab + 2, 2}, at::kDouble));
    CHECK_THROWS_WITH_AS(
        DistillSoft({}).forward(c.input()),
        doctest::Contains("the student has a vocabulary of 6 tokens and its teacher one of 8"),
        Error);
  }
}
