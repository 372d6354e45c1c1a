#include "recompute.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::BlockInput;
using mortise::BlockOutput;
using mortise::UnitRunner;
using mortise::parallel::recompute::Recompute;

namespace {

/// y = dropout(x·W + prefix), with an auxiliary loss and a route; counts its calls.
struct Unit {
  at::Tensor weight_DD = at::randn({4, 4}).set_requires_grad(true);
  int calls = 0;
  std::vector<bool> had_routes;

  UnitRunner runner() {
    return [this](const BlockInput& in) {
      ++calls;
      had_routes.push_back(in.routes.defined());
      BlockOutput out;
      at::Tensor x = at::matmul(in.x_BTD, weight_DD);
      if (in.prefix_k_BGPK.defined()) x = x + in.prefix_k_BGPK.sum();
      out.x_BTD = at::dropout(x, 0.5, /*train=*/true);
      out.losses.push_back({"aux", x.square().mean()});
      out.routes = at::ones({2, 1}, at::kLong);
      return out;
    };
  }
};

struct Gradients {
  at::Tensor y, x, weight, prefix;
};

Gradients run(const UnitRunner& runner, Unit& unit, bool trained_input = true) {
  at::manual_seed(7);
  BlockInput in;
  in.x_BTD = at::linspace(-1, 1, 24).view({2, 3, 4}).set_requires_grad(trained_input);
  in.prefix_k_BGPK = at::full({1, 1, 1, 2}, 0.25).set_requires_grad(true);
  unit.weight_DD.mutable_grad().reset();
  const BlockOutput out = runner(in);
  (out.x_BTD.square().sum() + 3 * out.losses.front().value).backward();
  return {out.x_BTD.detach(), in.x_BTD.grad(), unit.weight_DD.grad(), in.prefix_k_BGPK.grad()};
}

}  // namespace

TEST_SUITE("parallel.recompute") {
  TEST_CASE("gives the same bits as without, dropout and auxiliary loss included") {
    Unit unit;
    Recompute strategy({}, {1});
    const Gradients plain = run(unit.runner(), unit),
                    again = run(strategy.wrap(0, unit.runner()), unit);
    CHECK(at::equal(plain.y, again.y));
    CHECK(at::equal(plain.x, again.x));
    CHECK(at::equal(plain.weight, again.weight));
    CHECK(at::equal(plain.prefix, again.prefix));
  }

  TEST_CASE("runs the unit twice, the second time with the routes of the first") {
    Unit unit;
    Recompute strategy({}, {1});
    run(strategy.wrap(0, unit.runner()), unit);
    CHECK(unit.calls == 2);
    CHECK(unit.had_routes == std::vector<bool>{false, true});
  }

  TEST_CASE("trains the weights of a unit whose input is frozen") {
    Unit unit;
    Recompute strategy({}, {1});
    const Gradients plain = run(unit.runner(), unit, /*trained_input=*/false),
                    again = run(strategy.wrap(0, unit.runner()), unit, /*trained_input=*/false);
    CHECK(!again.x.defined());
    CHECK(at::equal(plain.weight, again.weight));
  }

  TEST_CASE("leaves the generator where one pass would") {
    Unit unit;
    Recompute strategy({}, {1});
    run(unit.runner(), unit);
    const at::Tensor plain = at::rand({3});
    run(strategy.wrap(0, unit.runner()), unit);
    CHECK(at::equal(plain, at::rand({3})));
  }

  TEST_CASE("runs once where no gradient is wanted") {
    Unit unit;
    Recompute strategy({}, {1});
    const at::NoGradGuard no_grad;
    BlockInput in;
    in.x_BTD = at::ones({1, 1, 4});
    strategy.wrap(0, unit.runner())(in);
    CHECK(unit.calls == 1);
  }

  TEST_CASE("every = 2 leaves the odd units alone") {
    Unit unit;
    Recompute strategy({.every = 2}, {4});
    run(strategy.wrap(1, unit.runner()), unit);
    CHECK(unit.calls == 1);
    run(strategy.wrap(2, unit.runner()), unit);
    CHECK(unit.calls == 3);
  }
}
