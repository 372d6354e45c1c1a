#include "causal_lm.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/torch/ops.hpp"

using mortise::Head;
using mortise::ObjectiveInput;
using mortise::objective::causal_lm::CausalLm;

namespace {

/// One dense product that does or does not say so.
struct FakeHead final : Head {
  FakeHead(at::Tensor w, bool tells) : weight(std::move(w)), is_open(tells) {}

  at::Tensor logits(const at::Tensor& hidden) override {
    longest = std::max(longest, hidden.size(0));
    return at::linear(hidden, weight);
  }

  std::optional<Dense> dense() const override {
    return is_open ? std::optional<Dense>(Dense{weight, {}}) : std::nullopt;
  }

  at::Tensor weight;
  bool is_open;
  int64_t longest = 0;
};

struct Result {
  at::Tensor loss, sum, grad_hidden, grad_weight;
};

Result run(bool dense, CausalLm::Config config, const at::Tensor& mask) {
  at::manual_seed(3);
  const at::Tensor hidden = at::randn({23, 8}).set_requires_grad(true);
  FakeHead head(at::randn({11, 8}).set_requires_grad(true), dense);
  const at::Tensor targets = at::randint(11, {23}, at::kLong);
  ObjectiveInput in;
  in.hidden_ND = hidden;
  in.head = &head;
  in.targets_N = targets;
  in.mask_N = mask;
  in.normaliser = 7;
  in.loss_scale = 2;
  const auto out = CausalLm(config).forward(in);
  out.loss.backward();
  if (!dense) CHECK(head.longest <= config.chunk);
  return {out.loss.detach(), out.loss_sum, hidden.grad(), head.weight.grad()};
}

Result reference(CausalLm::Config config, const at::Tensor& mask) {
  at::manual_seed(3);
  const at::Tensor hidden = at::randn({23, 8}).set_requires_grad(true);
  const at::Tensor weight = at::randn({11, 8}).set_requires_grad(true);
  const at::Tensor targets = at::randint(11, {23}, at::kLong);
  const at::Tensor log_p = at::log_softmax(at::linear(hidden, weight), -1);
  const at::Tensor smooth =
      (1 - config.label_smoothing) * at::one_hot(targets, 11) + config.label_smoothing / 11;
  const at::Tensor z = at::logsumexp(at::linear(hidden, weight), {-1});
  at::Tensor each = -(smooth * log_p).sum(-1) + config.z_loss * z * z;
  if (mask.defined()) each = each * mask;
  const at::Tensor sum = each.sum();
  (sum * 2 / 7).backward();
  return {(sum * 2 / 7).detach(), sum.detach(), hidden.grad(), weight.grad()};
}

bool close(const at::Tensor& a, const at::Tensor& b) { return at::allclose(a, b, 1e-4, 1e-5); }

}  // namespace

TEST_SUITE("objective.causal_lm") {
  TEST_CASE("both kinds of head give the loss and gradients of the formula") {
    at::manual_seed(5);
    const at::Tensor mask = at::rand({23}) > 0.4;
    for (const bool dense : {true, false})
      for (const at::Tensor& m : {at::Tensor(), mask})
        for (const CausalLm::Config config :
             {CausalLm::Config{0, 0, 5}, CausalLm::Config{0.1, 1e-2, 5}}) {
          CAPTURE(dense);
          CAPTURE(m.defined());
          CAPTURE(config.z_loss);
          const Result actual = run(dense, config, m), expected = reference(config, m);
          CHECK(close(actual.loss, expected.loss));
          CHECK(close(actual.sum, expected.sum));
          CHECK(close(actual.grad_hidden, expected.grad_hidden));
          CHECK(close(actual.grad_weight, expected.grad_weight));
        }
  }

  TEST_CASE("a head alone can be trained over frozen hidden states") {
    FakeHead head(at::ones({4, 2}).set_requires_grad(true), false);
    ObjectiveInput in;
    in.hidden_ND = at::ones({3, 2});
    in.head = &head;
    in.targets_N = at::zeros({3}, at::kLong);
    CausalLm({}).forward(in).loss.backward();
    CHECK(head.weight.grad().defined());
    CHECK(head.weight.grad().abs().sum().item<float>() > 0);
  }
}
