#include "adamw.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "tests/support/optimizer_golden.hpp"

using mortise::Slot;
using mortise::Slots;
using mortise::optimizer::adamw::AdamW;
using mortise::test::follow;

namespace {

Slots one_slot(at::Tensor param, at::Tensor grad, double lr, double decay = 0) {
  return Slots({Slot{std::move(param), std::move(grad), lr, decay, "w", {}}});
}

}  // namespace

TEST_SUITE("optimizer.adamw") {
  TEST_CASE("follows torch.optim.AdamW over five steps") {
    const mortise::test::OptimizerGolden golden("optim/adamw");
    const auto& runs = golden.facts.at("cases").as_table();
    REQUIRE(runs.size() == 4);
    for (const auto& [name, hyper] : runs) {
      INFO(name);
      const AdamW::Config config{.betas = {hyper.get("beta1", 0.0), hyper.get("beta2", 0.0)},
                                 .eps = hyper.get("eps", 0.0)};
      const auto make = [&](const Slots& slots) { return std::make_unique<AdamW>(config, slots); };
      CHECK(follow(golden, name, hyper, make, {.floor = 1e-6}) < 2e-6);
    }
  }

  TEST_CASE("slots with other lr or decay are told apart") {
    const at::Tensor g = at::ones({3});
    const Slots slots(
        {Slot{at::ones({3}), g, 0.1, 0.0, "a", {3}}, Slot{at::ones({3}), g, 0.2, 0.5, "b", {3}}});
    AdamW optimizer({}, slots);
    optimizer.step({0});  // the first step of Adam is lr·sign(g)
    CHECK(slots[0].param[0].item<float>() == doctest::Approx(0.9));
    CHECK(slots[1].param[0].item<float>() == doctest::Approx(1 - 0.2 * 0.5 - 0.2));
  }

  TEST_CASE("a slot without gradient is left alone") {
    const Slots slots = one_slot(at::ones({2}), {}, 0.1, 0.1);
    AdamW({}, slots).step({0});
    CHECK(slots[0].param.equal(at::ones({2})));
  }

  TEST_CASE("a bf16 parameter follows the fp32 one within its rounding") {
    const at::Tensor start = at::linspace(-2, 2, 33), grad = at::linspace(1, -3, 33);
    const Slots exact = one_slot(start.clone(), grad, 0.05, 0.1);
    const Slots rounded = one_slot(start.to(at::kBFloat16), grad.to(at::kBFloat16), 0.05, 0.1);
    AdamW a({}, exact), b({}, rounded);
    for (int64_t k = 0; k < 3; ++k) {
      a.step({k});
      b.step({k});
    }
    CHECK((exact[0].param - rounded[0].param.to(at::kFloat)).abs().max().item<double>() < 0.03);
  }
}
