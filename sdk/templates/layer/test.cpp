#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/layer.hpp>

TEST_CASE("without a feed-forward part it says what is missing") {
  CHECK_THROWS_AS(mortise::testing::make<mortise::Layer>("@NAME@", {.build = {}, .width = 4, .norm = {}}), mortise::Error);
}
