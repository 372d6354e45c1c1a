#include "sgd.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "tests/support/optimizer_golden.hpp"

using mortise::Slot;
using mortise::Slots;
using mortise::optimizer::sgd::Sgd;
using mortise::test::follow;

TEST_SUITE("optimizer.sgd") {
  TEST_CASE("equals torch.optim.SGD over six steps") {
    const mortise::test::OptimizerGolden golden("optimizers");
    const auto& runs = golden.facts.at("sgd").as_table();
    REQUIRE(runs.size() == 4);
    for (const auto& [name, hyper] : runs) {
      INFO(name);
      const Sgd::Config config{.momentum = hyper.get("momentum", 0.0),
                               .dampening = hyper.get("dampening", 0.0),
                               .nesterov = hyper.get("nesterov", false)};
      const auto make = [&](const Slots& slots) { return std::make_unique<Sgd>(config, slots); };
      CHECK(follow(golden, "sgd." + name, hyper, make) < 2e-5);
      CHECK(follow(golden, "sgd." + name, hyper, make, {.is_strided = true}) < 2e-5);
    }
  }

  TEST_CASE("decoupled decay shrinks the weight and leaves the momentum alone") {
    double w = 2, m = 0;
    const Slots slots({Slot{at::full({3}, 2.0), {}, 0.1, 0.5, "w", {3}}});
    Sgd optimizer({.momentum = 0.9, .decay = "decoupled"}, slots);
    for (int64_t k = 0; k < 4; ++k) {
      const double g = 0.3 * static_cast<double>(k) - 0.4;
      slots[0].grad = at::full({3}, g);
      optimizer.step({k});
      m = 0.9 * m + g;
      w = (1 - 0.1 * 0.5) * w - 0.1 * m;
      CHECK(slots[0].param[1].item<float>() == doctest::Approx(w));
    }
  }

  TEST_CASE("a momentum starts from the first gradient, whenever that comes, without dampening") {
    const Slots slots({Slot{at::zeros({1}), {}, 1, 0, "w", {1}}});
    Sgd optimizer({.momentum = 0.5, .dampening = 0.75}, slots);
    optimizer.step({0});
    CHECK(slots[0].param.item<float>() == 0);
    slots[0].grad = at::ones({1});
    optimizer.step({1});
    CHECK(slots[0].param.item<float>() == -1);
    optimizer.step({2});
    CHECK(slots[0].param.item<float>() == -1 - (0.5F + 0.25F));
  }

  TEST_CASE("a bf16 parameter follows the fp32 one within its rounding") {
    const Slots exact(
        {Slot{at::linspace(-2, 2, 33), at::linspace(1, -3, 33), 0.05, 0.1, "w", {33}}});
    const Slots rounded({exact[0]});
    rounded[0].param = exact[0].param.to(at::kBFloat16);
    rounded[0].grad = exact[0].grad.to(at::kBFloat16);
    Sgd a({.momentum = 0.9}, exact), b({.momentum = 0.9}, rounded);
    for (int64_t k = 0; k < 3; ++k) {
      a.step({k});
      b.step({k});
    }
    CHECK((exact[0].param - rounded[0].param.to(at::kFloat)).abs().max().item<double>() < 0.03);
  }
}
