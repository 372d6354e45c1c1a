#include "lion.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/safetensors.hpp"

using mortise::Slot;
using mortise::Slots;
using mortise::optimizer::lion::Lion;

namespace {

const std::string kGolden = std::string(MORTISE_SOURCE_DIR) + "/tests/golden/optim/lion";

// Parameters and gradients are stored as fp32, results as fp64.
at::Tensor golden(const mortise::safetensors::File& file, const std::string& name) {
  const mortise::safetensors::Entry* entry = file.header().find(name);
  REQUIRE_MESSAGE((entry != nullptr), name);
  const at::ScalarType type = entry->dtype == mortise::Dtype::F64 ? at::kDouble : at::kFloat;
  return at::from_blob(const_cast<std::byte*>(file.data(*entry).data()), entry->shape, type)
      .to(at::kFloat, false, true);
}

double worst(const at::Tensor& actual, const at::Tensor& expected) {
  return ((actual - expected).abs() / (1e-5 + expected.abs())).max().item<double>();
}

void run_case(const std::string& name,
              const mortise::Value& hyper,
              const mortise::safetensors::File& file,
              bool transposed) {
  // A transposed view is not contiguous and takes the other path.
  const auto shaped = [&](const at::Tensor& t) {
    return transposed && t.dim() == 2 ? t.t().contiguous().t() : t;
  };
  std::vector<Slot> list;
  for (int64_t i = 0; i < hyper.get("num_tensors", 0); ++i) {
    const at::Tensor param = shaped(golden(file, fmt::format("{}.{}.param0", name, i)));
    list.push_back(
        {param, {}, 0, hyper.get("weight_decay", 0.0), fmt::format("p{}", i), param.sizes().vec()});
  }
  const Slots slots(std::move(list));
  Lion optimizer({.betas = {hyper.get("beta1", 0.0), hyper.get("beta2", 0.0)}}, slots);
  for (int64_t k = 1; k <= 5; ++k) {
    for (size_t i = 0; i < slots.size(); ++i) {
      slots[i].grad = golden(file, fmt::format("{}.{}.grad{}", name, i, k));
      slots[i].lr = hyper.at("lr").as_array()[static_cast<size_t>(k - 1)].as_float();
    }
    optimizer.step({k - 1});
    for (size_t i = 0; i < slots.size(); ++i)
      CHECK(worst(slots[i].param, golden(file, fmt::format("{}.{}.param{}", name, i, k))) < 1e-5);
  }
}

}  // namespace

TEST_SUITE("optimizer.lion") {
  TEST_CASE("follows the paper over five steps") {
    const auto facts = mortise::parse_json(mortise::read_file(kGolden + ".json"));
    const auto file = mortise::safetensors::File::open(kGolden + ".safetensors");
    for (const auto& [name, hyper] : facts.at("cases").as_table()) {
      INFO(name);
      SUBCASE("dense") { run_case(name, hyper, file, false); }
      SUBCASE("strided") { run_case(name, hyper, file, true); }
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
