// The table and its parts; logits, packing and recompute of whole models:
// tests/model/adapter_test.cpp.
#include "prefix.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/testing.hpp"
#include "mortise/torch/layer.hpp"

using namespace mortise;

namespace {

struct FakeAttention final : Attention {
  explicit FakeAttention(KvShape shape) : shape_(shape) {}

  at::Tensor forward(const BlockInput& in) override { return in.x_BTD; }

  KvShape kv_shape() const override { return shape_; }

  KvShape shape_;
};

struct FakeLayer final : Layer {
  explicit FakeLayer(KvShape shape) {
    add_child("self_attn", std::make_shared<FakeAttention>(shape));
  }

  BlockOutput forward(const BlockInput& in) override { return {in.x_BTD}; }
};

struct Stack final : Module {
  explicit Stack(const std::vector<KvShape>& shapes) {
    for (size_t i = 0; i < shapes.size(); ++i)
      add_child(fmt::format("model.layers.{}", i), std::make_shared<FakeLayer>(shapes[i]));
  }
};

std::unique_ptr<Adapter> attach(Stack& stack, const Value::Table& changes) {
  auto adapter = testing::make<Adapter>("prefix", {{}, &stack, 8, 3}, changes);
  at::manual_seed(1);
  for (NamedTensor& tensor : adapter->parameters())
    tensor.tensor.detach().copy_(at::randn(tensor.tensor.sizes()));
  return adapter;
}

BlockInput input_of(Adapter& adapter, int64_t layer) {
  BlockInput in;
  in.x_BTD = at::zeros({1, 3, 8});
  adapter.before_stack(in, at::zeros({1, 3}, at::kLong));
  adapter.before_layer(layer, in);
  return in;
}

}  // namespace

TEST_SUITE("adapter.prefix") {
  TEST_CASE("keys and values of a layer stand in the table as PEFT has them") {
    Stack stack({{2, 3}, {2, 3}});
    const auto adapter = attach(stack, {{"tokens", 4}});
    const at::Tensor table = adapter->file_tensors().at(0).tensor;
    CHECK(table.sizes() == at::IntArrayRef({4, 24}));
    // past_key_values = embeddings.view(P, layers·2, heads, width).permute(layers·2, heads, P,
    // width)
    const at::Tensor all = table.view({4, 4, 2, 3}).permute({1, 2, 0, 3});
    const BlockInput in = input_of(*adapter, 1);
    CHECK(at::equal(in.prefix_k_BGPK[0], all[2]));
    CHECK(at::equal(in.prefix_v_BGPK[0], all[3]));
  }

  TEST_CASE("a layer without keys gets no prefix, and layers may differ") {
    Stack stack({{1, 2}, {0, 0}, {2, 2}});
    const auto adapter = attach(stack, {{"tokens", 3}});
    CHECK(input_of(*adapter, 0).prefix_k_BGPK.sizes() == at::IntArrayRef({1, 1, 3, 2}));
    CHECK(!input_of(*adapter, 1).prefix_k_BGPK.defined());
    CHECK(input_of(*adapter, 2).prefix_v_BGPK.sizes() == at::IntArrayRef({1, 2, 3, 2}));
    Stack none({{0, 0}});
    CHECK_THROWS_WITH_AS(attach(none, {}), doctest::Contains("a prefix has no place"), Error);
  }

  TEST_CASE("a reparametrised table is the MLP of its embeddings, and the MLP is trained") {
    Stack stack({{2, 3}});
    const auto adapter = attach(stack, {{"tokens", 4}, {"projection", true}, {"hidden", 5}});
    std::map<std::string, at::Tensor> p;
    for (NamedTensor& tensor : adapter->parameters()) p[tensor.name] = tensor.tensor;
    const at::Tensor table =
        at::linear(at::tanh(at::linear(
                       p.at("embedding"), p.at("transform.0.weight"), p.at("transform.0.bias"))),
                   p.at("transform.2.weight"),
                   p.at("transform.2.bias"));
    CHECK(at::allclose(adapter->file_tensors().at(0).tensor, table, 1e-6, 1e-6));
    CHECK(adapter->file_tensors().at(0).is_computed);
    input_of(*adapter, 0).prefix_k_BGPK.square().sum().backward();
    CHECK(p.at("transform.0.weight").grad().abs().max().item<double>() > 0);
  }

  TEST_CASE("it cannot be merged") {
    Stack stack({{2, 3}});
    const auto adapter = attach(stack, {});
    CHECK(!adapter->can_merge());
    CHECK_THROWS_WITH_AS(adapter->merge(), doctest::Contains("cannot be merged"), Error);
  }
}
