#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/ffn.hpp>

TEST_CASE("nothing in, nothing out") {
  const auto ffn = mortise::testing::make<mortise::Ffn>("@NAME@", {.build = {}, .width = 4}, {{"hidden", 8}});
  for (const auto& parameter : ffn->parameters()) parameter.tensor.detach().fill_(0.5);
  CHECK(ffn->forward(at::zeros({2, 4})).equal(at::zeros({2, 4})));
  CHECK(ffn->forward(at::ones({2, 4})).sum().item<double>() > 0);
}
