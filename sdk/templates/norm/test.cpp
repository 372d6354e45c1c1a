#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/norm.hpp>

TEST_CASE("the result has mean zero") {
  const auto norm = mortise::testing::make<mortise::Norm>("@NAME@", {.build = {}, .width = 4});
  norm->parameters()[0].tensor.detach().fill_(1);
  CHECK(norm->forward(at::arange(4, at::kFloat).view({1, 4})).mean().abs().item<double>() < 1e-6);
}
