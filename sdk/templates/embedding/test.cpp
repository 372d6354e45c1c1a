#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/embedding.hpp>

TEST_CASE("an id selects its row") {
  const auto embedding = mortise::testing::make<mortise::Embedding>("@NAME@", {.build = {}, .vocab = 3, .width = 2}, {{"scale", 2.0}});
  embedding->weight().detach().copy_(at::arange(6, at::kFloat).view({3, 2}));
  CHECK(embedding->forward(at::full({1, 1}, 2, at::kLong), {}).sum().item<double>() == 18.0);
}
