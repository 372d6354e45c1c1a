#include "muon.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "tests/support/optimizer_golden.hpp"

using mortise::Slot;
using mortise::Slots;
using mortise::Value;
using mortise::optimizer::muon::Muon;
using mortise::test::follow;
using mortise::test::Following;

namespace {

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
    const mortise::test::OptimizerGolden golden("optimizers");
    const Following how = {.weight_decay = 0.1};  // torch's default
    const auto& runs = golden.facts.at("muon").as_table();
    REQUIRE(runs.size() == 4);
    for (const auto& [name, hyper] : runs) {
      INFO(name);
      const std::string path = "muon." + name;
      const auto make = [&run = hyper](const char* dtype) {
        return [&run, dtype](const Slots& slots) {
          return std::make_unique<Muon>(config_of(run, dtype), slots);
        };
      };
      CHECK(follow(golden, path, hyper, make("fp32"), how) < 2e-5);
      // Equal bits where the golden was made; products of bf16 round differently on other CPUs.
      CHECK(follow(golden, path + ".bf16", hyper, make("bf16"), how) < 0.02);
      CHECK(follow(golden, path, hyper, make("bf16"), how) > 1e-3);  // the choice does act
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
