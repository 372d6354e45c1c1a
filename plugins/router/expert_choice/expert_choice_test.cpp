#include "expert_choice.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::RouteInput;
using mortise::Routes;
using mortise::router::expert_choice::ExpertChoice;

namespace {

std::unique_ptr<ExpertChoice> make_router(double capacity_factor) {
  mortise::RouterArgs args;
  args.width = 5;
  args.num_paths = 3;
  auto router = std::make_unique<ExpertChoice>(ExpertChoice::Config{{}, capacity_factor}, args);
  at::manual_seed(2);
  router->parameters()[0].tensor.detach().copy_(at::randn({3, 5}));
  return router;
}

}  // namespace

TEST_SUITE("router.expert_choice") {
  TEST_CASE("each expert takes the tokens of its highest probability, worked in double") {
    const auto made = make_router(1.1);
    ExpertChoice& router = *made;
    RouteInput in;
    in.x_ND = at::randn({10, 5});
    const Routes routes = router.route(in);
    const at::Tensor scores = at::matmul(
        in.x_ND.to(at::kDouble), router.parameters()[0].tensor.detach().to(at::kDouble).t());
    const size_t capacity = 4;  // ⌈10 / 3 · 1.1⌉
    for (int64_t e = 0; e < 3; ++e) {
      std::vector<std::pair<double, int64_t>> order;
      for (int64_t n = 0; n < 10; ++n) {
        double sum = 0;
        for (int64_t other = 0; other < 3; ++other)
          sum += std::exp(scores[n][other].item<double>());
        order.emplace_back(std::exp(scores[n][e].item<double>()) / sum, n);
      }
      std::sort(order.rbegin(), order.rend());
      REQUIRE(routes.counts_P[e].item<int64_t>() == 4);
      for (int64_t m = routes.borders[static_cast<size_t>(e)];
           m < routes.borders[static_cast<size_t>(e) + 1];
           ++m) {
        const auto end = order.begin() + capacity;
        const auto found = std::find_if(order.begin(), end, [&](const auto& entry) {
          return entry.second == routes.item_M[m].item<int64_t>();
        });
        REQUIRE((found != end));
        CHECK(routes.weight_M[m].item<double>() == doctest::Approx(found->first).epsilon(1e-5));
      }
    }
  }

  TEST_CASE("a token may have no expert, and that is told") {
    const auto made = make_router(0.3);
    ExpertChoice& router = *made;
    RouteInput in;
    in.x_ND = at::randn({10, 5});
    const Routes routes = router.route(in);  // 3 experts of one token each
    CHECK(routes.item_M.size(0) == 3);
    CHECK(routes.stats.back().name == "drop_rate");
    CHECK(routes.stats.back().value.item<double>() >= 0.7);
  }

  TEST_CASE("an expert takes no more tokens than there are") {
    const auto made = make_router(100);
    ExpertChoice& router = *made;
    RouteInput in;
    in.x_ND = at::randn({2, 5});
    CHECK(router.route(in).item_M.size(0) == 6);
  }
}
