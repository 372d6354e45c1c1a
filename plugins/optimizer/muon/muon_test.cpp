#include "muon.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/safetensors.hpp"

using mortise::Slot;
using mortise::Slots;
using mortise::Value;
using mortise::optimizer::muon::Muon;

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
              const Muon::Config& config,
              Shaped shaped) {
  std::vector<Slot> list;
  for (int64_t i = 0; i < hyper.at("num_tensors").as_int(); ++i) {
    const at::Tensor param = shaped(golden(file, fmt::format("{}.{}.param0", name, i)));
    list.push_back({param,
                    {},
                    0,
                    hyper.get("weight_decay", 0.1),
                    fmt::format("p{}.weight", i),
                    param.sizes().vec()});
  }
  const Slots slots(std::move(list));
  Muon optimizer(config, slots);
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

Muon::Config config_of(const Value& hyper, const char* dtype) {
  Muon::Config config{.momentum = hyper.get("momentum", 0.95),
                      .nesterov = hyper.get("nesterov", true),
                      .ns_steps = hyper.get("ns_steps", int64_t{5}),
                      .ns_dtype = dtype,
                      .adjust_lr = hyper.get("adjust_lr_fn", "original")};
  if (const Value* list = hyper.find("ns_coefficients"))
    for (size_t i = 0; i < 3; ++i) config.ns_coefficients[i] = list->as_array()[i].as_float();
  return config;
}

// A second optimizer that only takes lr off, and whose state is called as Muon's own.
class Subtract : public mortise::Optimizer {
 public:
  explicit Subtract(const Slots& slots) : slots_(slots), m_(mortise::zeros_like(slots)) {}

  void step(const mortise::StepContext&) override {
    for (Slot& slot : slots_) {
      if (!slot.grad.defined()) continue;
      slot.param.sub_(slot.lr + slot.weight_decay);
      for (at::Tensor& m : m_) m.add_(1);
    }
  }

  void state(mortise::StateIo& io) override { io.tensors("m", m_); }

  Slots slots_;
  std::vector<at::Tensor> m_;
};

class OneKind : public mortise::Host {
 public:
  void* make(std::string_view, const Value&, const void* args) override {
    const Slots& slots = *static_cast<const Slots*>(args);
    for (const Slot& slot : slots) names.push_back(slot.name);
    return static_cast<mortise::Optimizer*>(new Subtract(slots));
  }

  std::vector<std::string> names;
};

class Names : public mortise::StateIo {
 public:
  bool loading() const override { return false; }

  void value(std::string_view name, Value&) override { all.emplace_back(name); }

  void tensor(std::string_view name, at::Tensor&) override { all.emplace_back(name); }

  std::vector<std::string> all;
};

Slot slot_of(const char* name, std::vector<int64_t> shape) {
  return {at::ones(shape), at::ones(shape), 0.1, 0.2, name, shape};
}

}  // namespace

TEST_SUITE("optimizer.muon") {
  TEST_CASE("equals torch.optim.Muon over six steps, in both precisions of the iteration") {
    const auto facts = mortise::parse_json(mortise::read_file(kGolden + ".json"));
    const auto file = mortise::safetensors::File::open(kGolden + ".safetensors");
    REQUIRE(facts.at("muon").as_table().size() == 4);
    for (const auto& [name, hyper] : facts.at("muon").as_table()) {
      INFO(name);
      const std::string path = "muon." + name;
      CHECK(follow(path, hyper, file, config_of(hyper, "fp32"), as_stored) < 2e-5);
      // Equal bits where the golden was made; products of bf16 round differently on other CPUs.
      const Muon::Config rounded = config_of(hyper, "bf16");
      CHECK(follow(path + ".bf16", hyper, file, rounded, as_stored) < 0.02);
      CHECK(follow(path, hyper, file, rounded, as_stored) > 1e-3);  // the choice does act
    }
  }

  TEST_CASE("brings all singular values near 1") {
    const Slots slots(
        {Slot{at::zeros({6, 6}), at::diag(at::logspace(-1, 1, 6)), 1, 0, "w", {6, 6}}});
    Muon({.ns_dtype = "fp32"}, slots).step({0});
    const at::Tensor moved = slots[0].param.diagonal().neg();
    CHECK(moved.min().item<double>() > 0.6);
    CHECK(moved.max().item<double>() < 1.3);
    CHECK((slots[0].param + at::diag(moved)).abs().max().item<double>() < 1e-6);
  }

  TEST_CASE("embeddings, heads and what is no matrix go to the second optimizer") {
    const Slots slots({slot_of("model.embed_tokens.weight", {4, 3}),
                       slot_of("model.layers.0.mlp.up_proj.weight", {3, 4}),
                       slot_of("model.norm.weight", {3}),
                       slot_of("model.stack", {2, 3, 4}),
                       slot_of("lm_head.weight", {4, 3})});
    OneKind host;
    Value table = Value::table();
    table["type"] = "subtract";
    Muon optimizer({.other = {table, &host}, .other_lr = 2}, slots);
    CHECK(host.names ==
          std::vector<std::string>{
              "model.embed_tokens.weight", "model.norm.weight", "model.stack", "lm_head.weight"});
    slots[2].grad = at::Tensor();
    optimizer.step({0});
    CHECK(slots[0].param[0][0].item<float>() == doctest::Approx(1 - (0.1 * 2 + 0.2)));
    CHECK(slots[1].param[0][0].item<float>() != doctest::Approx(1 - (0.1 * 2 + 0.2)));
    CHECK(slots[2].param[0].item<float>() == 1);

    Names names;
    optimizer.state(names);
    CHECK(names.all ==
          std::vector<std::string>{"m.0", "other.m.0", "other.m.1", "other.m.2", "other.m.3"});
  }
}
