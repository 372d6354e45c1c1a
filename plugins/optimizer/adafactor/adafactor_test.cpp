#include "adafactor.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "tests/support/optimizer_golden.hpp"

using mortise::Slot;
using mortise::Slots;
using mortise::Value;
using mortise::optimizer::adafactor::Adafactor;
using mortise::test::follow;

namespace {

Adafactor::Config config_of(const Value& hyper) {
  Adafactor::Config config{.decay_rate = hyper.get("decay_rate", -0.8),
                           .clip_threshold = hyper.get("clip_threshold", 1.0),
                           .beta1 = hyper.get("beta1", 0.0),
                           .scale_parameter = hyper.at("scale_parameter").as_bool(),
                           .relative_step = hyper.at("relative_step").as_bool()};
  if (const Value* eps = hyper.find("eps")) {
    config.eps = eps->as_array()[0].as_float();
    config.min_scale = eps->as_array()[1].as_float();
  }
  return config;
}

// Counts the numbers that a state holds.
class Counter : public mortise::StateIo {
 public:
  bool loading() const override { return false; }

  void value(std::string_view, Value&) override {}

  void tensor(std::string_view, at::Tensor& tensor) override {
    if (tensor.defined()) count += tensor.numel();
  }

  int64_t count = 0;
};

}  // namespace

TEST_SUITE("optimizer.adafactor") {
  TEST_CASE("equals transformers' Adafactor over six steps") {
    const mortise::test::OptimizerGolden golden("optimizers");
    const auto& runs = golden.facts.at("adafactor").as_table();
    REQUIRE(runs.size() == 5);
    for (const auto& [name, hyper] : runs) {
      INFO(name);
      const auto make = [&run = hyper](const Slots& slots) {
        return std::make_unique<Adafactor>(config_of(run), slots);
      };
      CHECK(follow(golden, "adafactor." + name, hyper, make) < 1e-5);
    }
  }

  TEST_CASE("a relative step is capped by lr, then falls as one over the root of the step") {
    const Slots slots({Slot{at::zeros({4}), at::ones({4}), 0.6, 0, "b", {4}}});
    Adafactor optimizer({.relative_step = true}, slots);
    double expected = 0;
    for (int64_t k = 1; k <= 4; ++k) {
      optimizer.step({k - 1});
      expected -= std::min(0.6, 1 / std::sqrt(static_cast<double>(k)));  // 0.6, 0.6, 0.577, 0.5
      CHECK(slots[0].param[0].item<float>() == doctest::Approx(expected));
    }
  }

  TEST_CASE("keeps rows and columns of a matrix only") {
    const Slots slots({Slot{at::zeros({30, 50}), {}, 0, 0, "w", {30, 50}},
                       Slot{at::zeros({7}), {}, 0, 0, "b", {7}}});
    Counter counter;
    Adafactor optimizer({}, slots);
    optimizer.state(counter);
    CHECK(counter.count == 30 + 50 + 7);
  }
}
