#include <ATen/ATen.h>
#include <doctest/doctest.h>
#include <mortise/testing.hpp>
#include <mortise/torch/router.hpp>

TEST_CASE("the path of the highest score is taken") {
  const auto router = mortise::testing::make<mortise::Router>("@NAME@", {.build = {}, .width = 2, .num_paths = 2, .path_names = {}});
  router->parameters().at(0).tensor.detach().copy_(at::eye(2));
  mortise::RouteInput in;
  in.x_ND = at::tensor({3.0f, 1.0f, 0.0f, 2.0f, 5.0f, 4.0f}).view({3, 2});
  const mortise::Routes routes = router->route(in);
  CHECK(routes.item_M.equal(at::tensor({0, 2, 1}, at::kLong)));
  CHECK(routes.path_M.equal(at::tensor({0, 0, 1}, at::kLong)));
}
