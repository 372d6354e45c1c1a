// What goes into the stack and comes out; logits of whole models: tests/model/adapter_test.cpp.
#include "prompt.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/testing.hpp"

using namespace mortise;

namespace {

struct Nothing final : Module {};

std::unique_ptr<Adapter> attach(Nothing& model) {
  auto adapter = testing::make<Adapter>("prompt", {{}, &model, 4, 1}, {{"tokens", 2}});
  for (NamedTensor& tensor : adapter->parameters()) tensor.tensor.detach().fill_(7);
  return adapter;
}

}  // namespace

TEST_SUITE("adapter.prompt") {
  TEST_CASE(
      "prepends its tokens, moves positions, segments and borders, and takes them away again") {
    Nothing model;
    const auto adapter = attach(model);
    BlockInput in;
    in.x_BTD = at::arange(2 * 3 * 4, at::kFloat).view({2, 3, 4});
    const at::Tensor text = in.x_BTD;
    in.positions_BT = at::tensor({0, 1, 2, 0, 1, 0}, at::kLong).view({2, 3});
    in.segments_BT = at::tensor({1, 1, 1, 1, 1, 0}, at::kInt).view({2, 3});
    in.offsets_S = at::tensor({0, 3, 5, 6}, at::kLong);  // the last one is padding
    adapter->before_stack(in, at::zeros({2, 3}, at::kLong));
    CHECK(in.x_BTD.sizes() == at::IntArrayRef({2, 5, 4}));
    CHECK(at::equal(in.x_BTD.narrow(1, 0, 2), at::full({2, 2, 4}, 7.0)));
    CHECK(at::equal(in.positions_BT,
                    at::tensor({0, 1, 2, 3, 4, 0, 1, 2, 3, 2}, at::kLong).view({2, 5})));
    CHECK(at::equal(in.segments_BT,
                    at::tensor({1, 1, 1, 1, 1, 1, 1, 1, 1, 0}, at::kInt).view({2, 5})));
    CHECK(at::equal(in.offsets_S, at::tensor({0, 5, 9, 10}, at::kLong)));
    CHECK(at::equal(adapter->after_stack(in.x_BTD), text));
  }

  TEST_CASE("refuses a row of several documents and names what to set") {
    Nothing model;
    const auto adapter = attach(model);
    BlockInput in;
    in.x_BTD = at::zeros({1, 2, 4});
    in.positions_BT = at::zeros({1, 2}, at::kLong);
    in.segments_BT = at::tensor({1, 2}, at::kInt).view({1, 2});
    CHECK_THROWS_WITH_AS(adapter->before_stack(in, at::zeros({1, 2}, at::kLong)),
                         doctest::Contains("batch.packing = false"),
                         Error);
  }

  TEST_CASE("later tokens of a cached text get nothing before them") {
    Nothing model;
    const auto adapter = attach(model);
    KvCache cache(1, 8);
    cache.advance(4);
    BlockInput in;
    in.cache = &cache;
    in.x_BTD = at::ones({1, 1, 4});
    in.positions_BT = at::full({1, 1}, 4, at::kLong);
    adapter->before_stack(in, at::zeros({1, 1}, at::kLong));
    CHECK(in.x_BTD.size(1) == 1);
    CHECK(adapter->after_stack(in.x_BTD).size(1) == 1);
  }
}
