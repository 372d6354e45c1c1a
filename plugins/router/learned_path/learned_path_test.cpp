#include "learned_path.hpp"

#include <cmath>
#include <memory>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::RouteInput;
using mortise::Routes;
using mortise::router::learned_path::LearnedPath;

namespace {

std::unique_ptr<LearnedPath> make_router(const LearnedPath::Config& config) {
  mortise::RouterArgs args;
  args.width = 2;
  args.num_paths = 2;
  auto router = std::make_unique<LearnedPath>(config, args);
  router->parameters()[0].tensor.detach().copy_(at::eye(2));
  return router;
}

RouteInput input(const at::Tensor& x) {
  RouteInput in;
  in.x_ND = x;
  return in;
}

}  // namespace

TEST_SUITE("router.learned_path") {
  TEST_CASE("the weight is 1 forward and the probability backward") {
    const auto made = make_router({.temperature = 2, .aux_loss = 0});
    LearnedPath& router = *made;
    const at::Tensor x = at::tensor({0.7f, 0.1f}).view({1, 2}).requires_grad_(true);
    const Routes routes = router.route(input(x));
    CHECK(routes.path_M[0].item<int64_t>() == 0);
    CHECK(routes.weight_M[0].item<double>() == 1);
    routes.weight_M.sum().backward();
    const double p = 1 / (1 + std::exp(-(0.7 - 0.1) / 2));
    CHECK(x.grad()[0][0].item<double>() == doctest::Approx(p * (1 - p) / 2).epsilon(1e-5));
    CHECK(x.grad()[0][1].item<double>() == doctest::Approx(-p * (1 - p) / 2).epsilon(1e-5));
  }

  TEST_CASE("Gumbel noise draws a path by its probability, in training only") {
    const auto made = make_router({.estimator = "gumbel", .aux_loss = 0});
    LearnedPath& router = *made;
    at::manual_seed(1);
    const at::Tensor x = at::tensor({1.0f, 0.0f}).expand({20000, 2}).contiguous();
    const double share = router.route(input(x)).counts_P[0].item<double>() / 20000;
    CHECK(share == doctest::Approx(1 / (1 + std::exp(-1.0))).epsilon(0.02));  // 6 σ
    router.train(false);
    CHECK(router.route(input(x)).counts_P[0].item<int64_t>() == 20000);
  }

  TEST_CASE("the balance loss is its factor when paths are even") {
    const auto made = make_router({.aux_loss = 0.5});
    LearnedPath& router = *made;
    const Routes routes = router.route(input(at::tensor({1.0f, 0.0f, 0.0f, 1.0f}).view({2, 2})));
    REQUIRE(routes.losses.size() == 1);
    CHECK(routes.losses[0].value.item<double>() == doctest::Approx(0.5).epsilon(1e-6));
  }
}
