// Contract of `router`: a sorted list with right borders, weights that learn, padding left out, and
// decisions that can be replayed.
#include "mortise/torch/router.hpp"

#include "suites.hpp"
#include "tools.hpp"

namespace mortise::conform {

namespace {

constexpr int64_t kPaths = 4, kItems = 24;

}  // namespace

template <>
RouterArgs block_args<Router>(const BuildContext& build) {
  return {build, kWidth, kPaths, {}};
}

namespace {

RouteInput items(uint64_t seed, at::ScalarType dtype = at::kFloat) {
  RouteInput in;
  in.x_ND = randn({kItems, kWidth}, seed, dtype);
  in.kind_N = at::arange(kItems).remainder(2);
  in.sequence_N = at::arange(kItems).floor_divide(9);
  return in;
}

/// The same items with padding between them: item i stands at row 2 i.
RouteInput padded(const RouteInput& in) {
  RouteInput out;
  out.x_ND = at::stack({in.x_ND, at::full_like(in.x_ND, 3)}, 1).flatten(0, 1);
  out.kind_N = in.kind_N.repeat_interleave(2);
  out.sequence_N = in.sequence_N.repeat_interleave(2);
  out.valid_N = at::arange(2 * kItems).remainder(2) == 0;
  return out;
}

void expect_same(const Routes& actual, const Routes& expected, const std::string& what) {
  expect_equal_bits(actual.item_M, expected.item_M, what + ": items");
  expect_equal_bits(actual.path_M, expected.path_M, what + ": paths");
  expect_equal_bits(actual.weight_M, expected.weight_M, what + ": weights");
  expect_equal_bits(actual.counts_P, expected.counts_P, what + ": counts");
  MORTISE_EXPECT(actual.borders == expected.borders, "{}: the borders differ", what);
}

void list_is_sorted(Factory& f) {
  const auto router = filled<Router>(f);
  MORTISE_EXPECT_EQ(router->num_paths(), kPaths, "num_paths() against that of the path set");
  const Routes routes = router->route(items(f.seed()));
  const int64_t count = routes.item_M.size(0);
  MORTISE_EXPECT(routes.path_M.sizes() == routes.item_M.sizes() &&
                     routes.weight_M.sizes() == routes.item_M.sizes(),
                 "items, paths and weights are not equally long");
  const at::Tensor key = routes.path_M * kItems + routes.item_M;
  MORTISE_EXPECT(
      count < 2 || (key.narrow(0, 1, count - 1) > key.narrow(0, 0, count - 1)).all().item<bool>(),
      "the list is not sorted by path and then by item, or names a pair twice");
  MORTISE_EXPECT(
      routes.item_M.min().item<int64_t>() >= 0 && routes.item_M.max().item<int64_t>() < kItems,
      "an item is no row of the input");
  MORTISE_EXPECT_EQ(static_cast<int64_t>(routes.borders.size()), kPaths + 1, "borders");
  for (int64_t p = 0; p < kPaths; ++p) {
    const int64_t begin = routes.borders[static_cast<size_t>(p)],
                  end = routes.borders[static_cast<size_t>(p) + 1];
    MORTISE_EXPECT(
        begin <= end && (routes.path_M.narrow(0, begin, end - begin) == p).all().item<bool>(),
        "the borders of path {} are not those of its items",
        p);
    MORTISE_EXPECT(routes.counts_P[p].item<int64_t>() >= end - begin,
                   "path {} has more items in the list than counted",
                   p);
  }
  MORTISE_EXPECT(routes.borders.front() == 0 && routes.borders.back() == count,
                 "the borders do not cover the list");
  MORTISE_EXPECT(routes.weight_M.scalar_type() == at::kFloat, "the weights are not fp32");
  expect_finite(routes.weight_M, "the weights");
}

void weights_learn(Factory& f) {
  const auto router = filled<Router>(f);
  if (router->parameters().empty()) skip("it has no parameters");
  const Routes routes = router->route(items(f.seed()));
  (routes.weight_M * randn(routes.weight_M.sizes(), f.seed() + 1)).sum().backward();
  for (const NamedTensor& named : router->parameters()) {
    MORTISE_EXPECT(named.tensor.grad().defined(), "no gradient reaches {}", named.name);
    expect_finite(named.tensor.grad(), "the gradient of " + named.name);
  }
}

void padding_is_ignored(Factory& f) {
  const auto router = filled<Router>(f);
  router->train(false);
  const RouteInput in = items(f.seed());
  const Routes plain = router->route(in), routes = router->route(padded(in));
  MORTISE_EXPECT((routes.item_M.remainder(2) == 0).all().item<bool>(), "padding is routed");
  expect_equal_bits(routes.counts_P, plain.counts_P, "counts with padding");
  expect_equal_bits(routes.item_M.floor_divide(2), plain.item_M, "items with padding");
  expect_equal_bits(routes.path_M, plain.path_M, "paths with padding");
  expect_close(routes.weight_M, plain.weight_M, 1e-5, "weights with padding");
  for (size_t i = 0; i < plain.losses.size(); ++i)
    expect_close(routes.losses.at(i).value, plain.losses[i].value, 1e-5, plain.losses[i].name);
}

void only_padding(Factory& f) {
  const auto router = filled<Router>(f);
  RouteInput in = items(f.seed());
  in.valid_N = at::zeros({kItems}, at::kBool);
  const Routes routes = router->route(in);
  MORTISE_EXPECT(routes.item_M.size(0) == 0 && routes.counts_P.sum().item<int64_t>() == 0,
                 "padding alone is routed");
  for (const NamedValue& loss : routes.losses) expect_finite(loss.value, loss.name);
}

void replays(Factory& f) {
  for (const bool training : {false, true}) {
    const auto router = filled<Router>(f);
    router->train(training);
    const RouteInput in = padded(items(f.seed()));
    at::manual_seed(f.seed());
    const Routes first = router->route(in);
    RouteInput again = in;
    again.replay_2M = first.record();
    at::manual_seed(f.seed());
    expect_same(router->route(again), first, "a replay");
    // Another input, the same decisions: the choice is the recorded one.
    again.x_ND = -in.x_ND;
    const Routes other = router->route(again);
    expect_equal_bits(other.item_M, first.item_M, "a replay with other scores: items");
    expect_equal_bits(other.path_M, first.path_M, "a replay with other scores: paths");
  }
}

void is_pure(Factory& f) {
  const auto router = filled<Router>(f);
  std::vector<at::Tensor> before;
  for (const NamedTensor& named : router->tensors()) before.push_back(named.tensor.clone());
  at::manual_seed(f.seed());
  const Routes one = router->route(items(f.seed()));
  at::manual_seed(f.seed());
  expect_same(router->route(items(f.seed())), one, "the same input again");
  const auto after = router->tensors();
  for (size_t i = 0; i < before.size(); ++i)
    expect_equal_bits(after[i].tensor, before[i], after[i].name + " after route()");
}

void takes_counts(Factory& f) {
  const auto router = filled<Router>(f);
  const at::NoGradGuard no_grad;
  const Routes routes = router->route(items(f.seed()));
  MORTISE_EXPECT(routes.counts_P.scalar_type() == at::kLong, "counts are not int64");
  router->after_step(routes.counts_P);
  for (const NamedTensor& named : router->tensors())
    expect_finite(named.tensor, named.name + " after after_step()");
  expect_finite(router->route(items(f.seed())).weight_M, "weights after after_step()");
}

void values_are_scalars(Factory& f) {
  const auto router = filled<Router>(f);
  const Routes routes = router->route(items(f.seed()));
  for (const NamedValue& loss : routes.losses) {
    MORTISE_EXPECT(loss.value.dim() == 0, "the loss {} is no scalar", loss.name);
    expect_finite(loss.value, loss.name);
  }
  for (const NamedValue& stat : routes.stats)
    MORTISE_EXPECT(stat.value.dim() == 0 && !stat.value.requires_grad(),
                   "the statistic {} is no detached scalar",
                   stat.name);
}

}  // namespace

Suite router_suite() {
  return {"router",
          example_block_args<Router>,
          with_block_checks<Router>(
              {{"its list is sorted by path and item, with right borders", list_is_sorted},
               {"a gradient of the weights reaches every parameter", weights_learn},
               {"padding is neither routed nor counted", padding_is_ignored},
               {"padding alone gives an empty list", only_padding},
               {"a replay gives the same list", replays},
               {"routing is deterministic and changes no state", is_pure},
               {"it takes counts after a step", takes_counts},
               {"losses and statistics are scalars", values_are_scalars}})};
}

}  // namespace mortise::conform
