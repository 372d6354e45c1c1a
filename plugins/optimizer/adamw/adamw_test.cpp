#include "adamw.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/safetensors.hpp"

using mortise::Slot;
using mortise::Slots;
using mortise::optimizer::adamw::AdamW;

namespace {

const std::string kGolden = std::string(MORTISE_SOURCE_DIR) + "/tests/golden/optim/adamw";

at::Tensor golden(const mortise::safetensors::File& file, const std::string& name) {
  const mortise::safetensors::Entry* entry = file.header().find(name);
  REQUIRE_MESSAGE((entry != nullptr), name);
  return at::from_blob(const_cast<std::byte*>(file.data(*entry).data()), entry->shape, at::kFloat)
      .clone();
}

double worst(const at::Tensor& actual, const at::Tensor& expected) {
  return ((actual - expected).abs() / (1e-6 + expected.abs())).max().item<double>();
}

Slots one_slot(at::Tensor param, at::Tensor grad, double lr, double decay = 0) {
  return Slots({Slot{std::move(param), std::move(grad), lr, decay, "w", {}}});
}

}  // namespace

TEST_SUITE("optimizer.adamw") {
  TEST_CASE("follows torch.optim.AdamW over five steps") {
    const auto facts = mortise::parse_json(mortise::read_file(kGolden + ".json"));
    const auto file = mortise::safetensors::File::open(kGolden + ".safetensors");
    for (const auto& [name, hyper] : facts.at("cases").as_table()) {
      INFO(name);
      std::vector<Slot> list;
      for (int64_t i = 0; i < hyper.get("num_tensors", 0); ++i) {
        const at::Tensor param = golden(file, fmt::format("{}.{}.param0", name, i));
        list.push_back({param,
                        {},
                        0,
                        hyper.get("weight_decay", 0.0),
                        fmt::format("p{}", i),
                        param.sizes().vec()});
      }
      const Slots slots(std::move(list));
      AdamW optimizer({.betas = {hyper.get("beta1", 0.0), hyper.get("beta2", 0.0)},
                       .eps = hyper.get("eps", 0.0)},
                      slots);
      for (int64_t k = 1; k <= 5; ++k) {
        for (size_t i = 0; i < slots.size(); ++i) {
          slots[i].grad = golden(file, fmt::format("{}.{}.grad{}", name, i, k));
          slots[i].lr = hyper.at("lr").as_array()[static_cast<size_t>(k - 1)].as_float();
        }
        optimizer.step({k - 1});
        for (size_t i = 0; i < slots.size(); ++i)
          CHECK(worst(slots[i].param, golden(file, fmt::format("{}.{}.param{}", name, i, k))) <
                2e-6);
      }
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
