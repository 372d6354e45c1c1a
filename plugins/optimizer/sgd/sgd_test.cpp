#include "sgd.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/safetensors.hpp"

using mortise::Slot;
using mortise::Slots;
using mortise::Value;
using mortise::optimizer::sgd::Sgd;

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
              const Sgd::Config& config,
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
  Sgd optimizer(config, slots);
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

// A transposed view is not contiguous and takes the other path.
at::Tensor strided(const at::Tensor& tensor) {
  return tensor.dim() == 2 ? tensor.t().contiguous().t() : tensor;
}

}  // namespace

TEST_SUITE("optimizer.sgd") {
  TEST_CASE("equals torch.optim.SGD over six steps") {
    const auto facts = mortise::parse_json(mortise::read_file(kGolden + ".json"));
    const auto file = mortise::safetensors::File::open(kGolden + ".safetensors");
    REQUIRE(facts.at("sgd").as_table().size() == 4);
    for (const auto& [name, hyper] : facts.at("sgd").as_table()) {
      INFO(name);
      const Sgd::Config config{.momentum = hyper.get("momentum", 0.0),
                               .dampening = hyper.get("dampening", 0.0),
                               .nesterov = hyper.get("nesterov", false)};
      CHECK(follow("sgd." + name, hyper, file, config, as_stored) < 2e-5);
      CHECK(follow("sgd." + name, hyper, file, config, strided) < 2e-5);
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
