#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/head.hpp>

TEST_CASE("a higher temperature lowers the logits") {
  const auto head = mortise::testing::make<mortise::Head>("@NAME@", {.build = {}, .vocab = 3, .width = 2}, {{"temperature", 2.0}});
  head->parameters()[0].tensor.detach().fill_(1);
  CHECK(head->logits(at::ones({1, 2})).equal(at::ones({1, 3})));
}
