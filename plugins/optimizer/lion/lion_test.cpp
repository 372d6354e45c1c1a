#include "lion.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "tests/support/optimizer_golden.hpp"

using mortise::Slot;
using mortise::Slots;
using mortise::optimizer::lion::Lion;
using mortise::test::follow;

TEST_SUITE("optimizer.lion") {
  TEST_CASE("follows the paper over five steps") {
    const mortise::test::OptimizerGolden golden("optim/lion");
    const auto& runs = golden.facts.at("cases").as_table();
    REQUIRE(runs.size() == 3);
    for (const auto& [name, hyper] : runs) {
      INFO(name);
      const Lion::Config config{.betas = {hyper.get("beta1", 0.0), hyper.get("beta2", 0.0)}};
      const auto make = [&](const Slots& slots) { return std::make_unique<Lion>(config, slots); };
      CHECK(follow(golden, name, hyper, make, {.floor = 1e-5}) < 1e-5);
      CHECK(follow(golden, name, hyper, make, {.floor = 1e-5, .is_strided = true}) < 1e-5);
    }
  }

  TEST_CASE("a zero direction moves nothing but the decay") {
    const Slots slots({Slot{at::full({4}, 2.0f), at::zeros({4}), 0.1, 0.5, "w", {4}}});
    Lion({}, slots).step({0});
    CHECK(slots[0].param[0].item<float>() == doctest::Approx(2 * (1 - 0.1 * 0.5)));
  }

  TEST_CASE("a slot without gradient is left alone") {
    const Slots slots({Slot{at::ones({2}), {}, 0.1, 0.1, "w", {2}}});
    Lion({}, slots).step({0});
    CHECK(slots[0].param.equal(at::ones({2})));
  }
}
