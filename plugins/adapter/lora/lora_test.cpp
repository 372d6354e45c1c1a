// The maths against slow doubles on single projections; whole models: tests/model/adapter_test.cpp.
#include "lora.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/testing.hpp"

#include "tests/support/close.hpp"

using namespace mortise;
using mortise::adapter::lora::Lora;

namespace {

/// Two projections and two experts, named as a model's are.
struct Block final : Module {
  Block() {
    const LinearOptions with_bias = {.bias = true};
    q = add_child("model.layers.0.self_attn.q_proj",
                  std::make_shared<Linear>(build, 6, 4, with_bias));
    up = add_child("model.layers.0.mlp.up_proj", std::make_shared<Linear>(build, 6, 5));
    experts = add_child("model.layers.1.mlp.experts.gate_proj",
                        std::make_shared<GroupedLinear>(build, 2, 6, 3));
    for (NamedTensor& tensor : parameters())
      tensor.tensor.detach().copy_(at::randn(tensor.tensor.sizes()));
  }

  BuildContext build;
  std::shared_ptr<Linear> q, up;
  std::shared_ptr<GroupedLinear> experts;
};

std::unique_ptr<Adapter> attach(Block& block, const Value::Table& changes) {
  auto adapter = testing::make<Adapter>("lora", {block.build, &block, 6, 2, {}, false}, changes);
  for (NamedTensor& tensor : block.parameters())
    if (tensor.name.find(".lora.") != std::string::npos)
      tensor.tensor.detach().copy_(at::randn(tensor.tensor.sizes()));
  adapter->weights_loaded();
  return adapter;
}

at::Tensor named(Block& block, const std::string& name) {
  for (NamedTensor& tensor : block.parameters())
    if (tensor.name == name) return tensor.tensor;
  FAIL("no tensor " << name);
  return {};
}

Value list(std::initializer_list<const char*> names) {
  Value out = Value::array();
  for (const char* name : names) out.as_array().emplace_back(name);
  return out;
}

}  // namespace

TEST_SUITE("adapter.lora") {
  TEST_CASE("adds alpha / rank times B·A·x, or alpha / √rank with rslora") {
    for (const bool rslora : {false, true}) {
      at::manual_seed(1);
      Block block;
      attach(block,
             {{"rank", 3}, {"alpha", 5.0}, {"rslora", rslora}, {"targets", list({"q_proj"})}});
      const at::Tensor x = at::randn({2, 6});
      const at::Tensor a = named(block, "model.layers.0.self_attn.q_proj.lora.A").to(at::kDouble),
                       b = named(block, "model.layers.0.self_attn.q_proj.lora.B").to(at::kDouble);
      const double scaling = 5.0 / (rslora ? std::sqrt(3.0) : 3.0);
      const at::Tensor weight = block.q->weight().to(at::kDouble) + scaling * at::matmul(b, a);
      MORTISE_CHECK_CLOSE(
          (*block.q)(x), at::matmul(x.to(at::kDouble), weight.t()) + block.q->bias(), 1e-5, 1e-5);
    }
  }

  TEST_CASE("dora scales every row of W + s·B·A to its magnitude, and leaves the bias alone") {
    at::manual_seed(2);
    Block block;
    attach(block, {{"rank", 2}, {"alpha", 3.0}, {"use_dora", true}, {"targets", list({"q_proj"})}});
    const std::string path = "model.layers.0.self_attn.q_proj.lora.";
    const at::Tensor magnitude = named(block, path + "magnitude");
    MORTISE_CHECK_CLOSE(magnitude, block.q->weight().square().sum(1).sqrt(), 1e-6, 1e-6);
    magnitude.detach().copy_(at::randn({4}));
    const at::Tensor a = named(block, path + "A").to(at::kDouble),
                     b = named(block, path + "B").to(at::kDouble);
    const at::Tensor sum = block.q->weight().to(at::kDouble) + 1.5 * at::matmul(b, a);
    const at::Tensor weight =
        sum * (magnitude.to(at::kDouble) / sum.square().sum(1).sqrt()).unsqueeze(1);
    const at::Tensor x = at::randn({3, 6});
    MORTISE_CHECK_CLOSE(
        (*block.q)(x), at::matmul(x.to(at::kDouble), weight.t()) + block.q->bias(), 1e-5, 1e-5);
  }

  TEST_CASE("freezes the base, trains A, B and the magnitudes, and the gradients are right") {
    at::manual_seed(3);
    Block block;
    attach(block, {{"rank", 2}, {"use_dora", true}, {"targets", list({"*proj"})}});
    for (NamedTensor& tensor : block.parameters())
      CHECK(tensor.tensor.requires_grad() == (tensor.name.find(".lora.") != std::string::npos));
    const at::Tensor x = at::randn({4, 6});
    (*block.up)(x).square().sum().backward();
    CHECK(!block.up->weight().grad().defined());
    // Loss Σ y² with y = f ⊙ (W·x + s·B·A·x) and f a constant: dB = s·(2y ⊙ f)ᵀ(A·x)
    const std::string path = "model.layers.0.mlp.up_proj.lora.";
    const at::Tensor a = named(block, path + "A").detach(), b = named(block, path + "B").detach(),
                     magnitude = named(block, path + "magnitude").detach(),
                     weight = block.up->weight().detach();
    const double s = 16.0 / 2;
    const at::Tensor factors =
        magnitude / at::linalg_vector_norm(weight + s * at::matmul(b, a), 2, {1});
    const at::Tensor low = at::matmul(x, a.t()),
                     sum = at::matmul(x, weight.t()) + s * at::matmul(low, b.t());
    const at::Tensor expected = s * at::matmul((2 * sum * factors * factors).t(), low);
    MORTISE_CHECK_CLOSE(named(block, path + "B").grad(), expected, 1e-4, 1e-3);
  }

  TEST_CASE("every expert has its own matrices, with dora too") {
    for (const bool dora : {false, true}) {
      at::manual_seed(4);
      Block block;
      const auto adapter = attach(
          block,
          {{"rank", 2}, {"alpha", 4.0}, {"use_dora", dora}, {"targets", list({"gate_proj"})}});
      const at::Tensor x = at::randn({5, 6});
      const std::vector<int64_t> borders = {0, 2, 5};
      const at::Tensor y = (*block.experts)(x, borders);
      const std::string path = "model.layers.1.mlp.experts.gate_proj.lora.";
      for (int64_t e = 0; e < 2; ++e) {
        at::Tensor weight =
            block.experts->weight()[e] +
            2 * at::matmul(named(block, path + "B")[e], named(block, path + "A")[e]);
        if (dora)
          weight = weight *
                   (named(block, path + "magnitude")[e] / at::linalg_vector_norm(weight, 2, {1}))
                       .unsqueeze(1);
        const int64_t begin = borders[static_cast<size_t>(e)],
                      length = borders[static_cast<size_t>(e) + 1] - begin;
        MORTISE_CHECK_CLOSE(y.narrow(0, begin, length),
                            at::matmul(x.narrow(0, begin, length), weight.t()),
                            1e-5,
                            1e-5);
      }
      CHECK(adapter->file_tensors().front().name ==
            "base_model.model.model.layers.1.mlp.experts.0.gate_proj.lora_A.weight");
      adapter->merge();
      MORTISE_CHECK_CLOSE((*block.experts)(x, borders), y, 1e-5, 1e-5);
    }
  }

  TEST_CASE("the longest pattern gives rank and alpha, and the file says so for PEFT") {
    Block block;
    Value ranks = Value::table(), alphas = Value::table();
    ranks["*.layers.0.*"] = 3;
    ranks["*.layers.0.mlp.*"] = 1;
    alphas["up_proj"] = 2.0;
    const auto adapter = attach(block,
                                {{"rank", 2},
                                 {"rank_pattern", ranks},
                                 {"alpha_pattern", alphas},
                                 {"targets", list({"q_proj", "up_proj"})}});
    CHECK(named(block, "model.layers.0.self_attn.q_proj.lora.A").size(0) == 3);
    CHECK(named(block, "model.layers.0.mlp.up_proj.lora.A").size(0) == 1);
    const Value config = adapter->file_config("base");
    CHECK(config.at("rank_pattern").at("model.layers.0.self_attn.q_proj").as_int() == 3);
    CHECK(config.at("alpha_pattern").at("model.layers.0.mlp.up_proj").as_float() == 2.0);
    CHECK(config.at("alpha_pattern").as_table().size() == 1);
    CHECK(config.at("target_modules") == list({"q_proj", "up_proj"}));
  }

  TEST_CASE(
      "dropout is drawn anew for each pass, repeats with the seed, and is off in evaluation") {
    at::manual_seed(5);
    Block block;
    attach(block, {{"dropout", 0.5}, {"targets", list({"up_proj"})}});
    const at::Tensor x = at::randn({8, 6});
    at::manual_seed(9);
    const at::Tensor first = (*block.up)(x), second = (*block.up)(x);
    at::manual_seed(9);
    CHECK(at::equal((*block.up)(x), first));
    CHECK(!at::equal(first, second));
    block.train(false);
    CHECK(at::equal((*block.up)(x), (*block.up)(x)));
  }

  TEST_CASE("a target that matches nothing lists the nearest names") {
    Block block;
    CHECK_THROWS_WITH_AS(
        attach(block, {{"targets", list({"q_prj"})}}),
        doctest::Contains("\"q_prj\" matches nothing in this model; it has: q_proj"),
        Error);
    Value ranks = Value::table();
    ranks["up_proj"] = 3;
    CHECK_THROWS_WITH_AS(attach(block, {{"rank_pattern", ranks}, {"targets", list({"q_proj"})}}),
                         doctest::Contains("\"up_proj\" matches nothing"),
                         Error);
  }

  TEST_CASE("a file's rank wins over the default and not over what the recipe says") {
    Value file = Value::table();
    file["peft_type"] = "LORA";
    file["r"] = 2;
    file["lora_alpha"] = 6;
    file["target_modules"] = ".*\\.(q|up)_proj";
    Block block;
    testing::make<Adapter>("lora", {block.build, &block, 6, 2, file, false});
    CHECK(named(block, "model.layers.0.mlp.up_proj.lora.A").size(0) == 2);
    Block other;
    CHECK_THROWS_WITH_AS(
        testing::make<Adapter>("lora", {other.build, &other, 6, 2, file, false}, {{"rank", 5}}),
        doctest::Contains("adapter.rank is 5"),
        Error);
    file["bias"] = "all";
    Block third;
    CHECK_THROWS_WITH_AS(testing::make<Adapter>("lora", {third.build, &third, 6, 2, file, false}),
                         doctest::Contains("`bias` is set"),
                         Error);
  }
}
