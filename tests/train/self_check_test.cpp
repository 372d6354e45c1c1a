// The guard over the first steps.
#include "core/engine/train/self_check.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/names.hpp"

#include "core/engine/train/trainer.hpp"

using namespace mortise;        // NOLINT: a test file
using namespace mortise::core;  // NOLINT

namespace {

struct Two final : Module {
  Two() {
    a = add_parameter("a", {3}, {}, Init::zeros());
    b = add_parameter("b", {3}, {}, Init::zeros());
    at::NoGradGuard no_grad;
    a.zero_();
    b.zero_();
  }

  at::Tensor a, b;
};

void move(const at::Tensor& tensor) {
  at::NoGradGuard no_grad;
  tensor.add_(1);
}

}  // namespace

TEST_SUITE("train.self_check") {
  TEST_CASE("tensors that do not move are named") {
    const Two model;
    SelfCheck check(model);
    move(model.a);
    check.after_step(0.1);
    CHECK_THROWS_WITH_AS(
        check.finish(true), doctest::Contains("did not move in the first 3 steps: b"), Error);
    CHECK_NOTHROW(check.finish(false));
    move(model.b);
    CHECK_NOTHROW(check.finish(true));
  }

  TEST_CASE("nothing is said while the learning rate was zero") {
    const Two model;
    SelfCheck check(model);
    check.after_step(0);
    CHECK_NOTHROW(check.finish(true));
  }

  TEST_CASE("a frozen tensor that moves is named") {
    Two model;
    model.b.set_requires_grad(false);
    SelfCheck check(model);
    move(model.a);
    move(model.b);
    check.after_step(0.1);
    CHECK_THROWS_WITH_AS(check.finish(true),
                         doctest::Contains("frozen tensors changed in the first 3 steps: b"),
                         Error);
  }

  TEST_CASE("patterns of optimizer.groups") {
    CHECK(mortise::matches("*", "model.norm.weight"));
    CHECK(mortise::matches("model.*.weight", "model.norm.weight"));
    CHECK(mortise::matches("*embed*", "model.embed_tokens.weight"));
    CHECK_FALSE(mortise::matches("model.*.bias", "model.norm.weight"));
    CHECK_FALSE(mortise::matches("norm", "model.norm"));
  }
}
