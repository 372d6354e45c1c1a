// The guard over the first steps.
#include "core/engine/train/self_check.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/names.hpp"
#include "mortise/torch/path_set.hpp"

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

/// Two paths, of which a router took one.
struct Paths final : PathSet {
  Paths() {
    taken = add_parameter("0.weight", {3}, {}, Init::zeros());
    rest = add_parameter("1.weight", {3}, {}, Init::zeros());
    at::NoGradGuard no_grad;
    taken.zero_();
    rest.zero_();
  }

  RouteGranularity granularity() const override { return RouteGranularity::Token; }

  int64_t num_paths() const override { return 2; }

  at::Tensor taken, rest;
};

struct Routed final : Module {
  std::shared_ptr<Paths> paths = add_child("paths", std::make_shared<Paths>());
};

void move(const at::Tensor& tensor) {
  at::NoGradGuard no_grad;
  tensor.add_(1);
}

}  // namespace

TEST_SUITE("train.self_check") {
  TEST_CASE("tensors that do not move are named") {
    Two model;
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
    Two model;
    SelfCheck check(model);
    check.after_step(0);
    CHECK_NOTHROW(check.finish(true));
  }

  TEST_CASE("a path that no router has chosen yet may rest") {
    Routed model;
    SelfCheck check(model);
    move(model.paths->taken);
    check.after_step(0.1);
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
