#include "adafactor.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/safetensors.hpp"

using mortise::Slot;
using mortise::Slots;
using mortise::Value;
using mortise::optimizer::adafactor::Adafactor;

namespace {

const std::string kGolden = std::string(MORTISE_SOURCE_DIR) + "/tests/golden/optimizers";

// Parameters and gradients are stored as fp32, results as fp64.
at::Tensor golden(const mortise::safetensors::File& file, const std::string& name) {
  const mortise::safetensors::Entry* entry = file.header().find(name);
  REQUIRE_MESSAGE((entry != nullptr), name);
  const at::ScalarType type = entry->dtype == mortise::Dtype::F64 ? at::kDouble : at::kFloat;
  return at::from_blob(const_cast<std::byte*>(file.data(*entry).data()), entry->shape, type)
      .to(at::kFloat, false, true);
}

double worst(const at::Tensor& actual, const at::Tensor& expected) {
  return ((actual - expected).abs() / (1e-2 + expected.abs())).max().item<double>();
}

// Follows one recorded run; `shaped` may lay tensors out differently.  Returns the largest error.
template <class Shaped>
double follow(const std::string& name,
              const Value& hyper,
              const mortise::safetensors::File& file,
              const Adafactor::Config& config,
              Shaped shaped) {
  std::vector<Slot> list;
  for (int64_t i = 0; i < hyper.at("num_tensors").as_int(); ++i) {
    const at::Tensor param = shaped(golden(file, fmt::format("{}.{}.param0", name, i)));
    list.push_back({param,
                    {},
                    0,
                    hyper.get("weight_decay", 0.0),
                    fmt::format("p{}.weight", i),
                    param.sizes().vec()});
  }
  const Slots slots(std::move(list));
  Adafactor optimizer(config, slots);
  double error = 0;
  for (int64_t k = 1; k <= hyper.at("num_steps").as_int(); ++k) {
    for (size_t i = 0; i < slots.size(); ++i) {
      slots[i].grad = golden(file, fmt::format("{}.{}.grad{}", name, i, k));
      slots[i].lr = hyper.at("lr").as_array()[static_cast<size_t>(k - 1)].as_float();
    }
    optimizer.step({k - 1});
    for (size_t i = 0; i < slots.size(); ++i)
      error = std::max(
          error, worst(slots[i].param, golden(file, fmt::format("{}.{}.param{}", name, i, k))));
  }
  return error;
}

at::Tensor as_stored(const at::Tensor& tensor) { return tensor; }

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
    const auto facts = mortise::parse_json(mortise::read_file(kGolden + ".json"));
    const auto file = mortise::safetensors::File::open(kGolden + ".safetensors");
    REQUIRE(facts.at("adafactor").as_table().size() == 5);
    for (const auto& [name, hyper] : facts.at("adafactor").as_table()) {
      INFO(name);
      CHECK(follow("adafactor." + name, hyper, file, config_of(hyper), as_stored) < 1e-5);
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
