#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/path_set.hpp>

TEST_CASE("each expert works on its own rows") {
  const auto set = mortise::testing::make<mortise::PathSet>("@NAME@", {.build = {}, .width = 4, .num_paths = 0, .norm = {}}, {{"experts", 2}, {"hidden", 8}});
  for (const auto& parameter : set->parameters()) {
    parameter.tensor.detach().fill_(0.5);
    parameter.tensor.detach()[1].zero_();
  }
  const std::vector<int64_t> borders = {0, 2, 3};
  const at::Tensor y = set->run_tokens(at::ones({3, 4}), borders);
  CHECK(y.narrow(0, 0, 2).min().item<double>() > 0);
  CHECK(y[2].abs().max().item<double>() == 0);
}
