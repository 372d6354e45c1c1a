#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/attention.hpp>

TEST_CASE("a later token changes nothing before it") {
  const auto attention = mortise::testing::make<mortise::Attention>("@NAME@", {.build = {}, .width = 4});
  for (const auto& parameter : attention->parameters()) parameter.tensor.detach().fill_(0.1);
  mortise::BlockInput in;
  in.x_BTD = at::ones({1, 3, 4});
  in.positions_BT = at::arange(3).view({1, 3});
  const at::Tensor before = attention->forward(in).detach();
  in.x_BTD = in.x_BTD.clone();
  in.x_BTD.select(1, 2).fill_(5);
  CHECK(attention->forward(in).detach().narrow(1, 0, 2).equal(before.narrow(1, 0, 2)));
}
