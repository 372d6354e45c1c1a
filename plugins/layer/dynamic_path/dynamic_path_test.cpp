#include "dynamic_path.hpp"

#include <string>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/torch/routing.hpp"

#include "tests/support/layer_fakes.hpp"

using mortise::BlockInput;
using mortise::BlockOutput;
using mortise::RouteGranularity;
using mortise::RouteInput;
using mortise::Routes;
using mortise::Use;
using mortise::Value;
using mortise::layer::dynamic_path::DynamicPath;
using mortise::test::layer_args;
using mortise::test::table_of;

namespace {

/// Samples whose pooled value is positive take path 1; the weight is 1 with the gradient of x.
struct BySign final : mortise::Router {
  Routes route(const RouteInput& in) override {
    given = in;
    const auto items = mortise::valid_items(in);
    mortise::RouteDecision decision;
    decision.chosen_NP = at::one_hot((items.x_ND.select(1, 0) > 0).to(at::kLong), 2).to(at::kBool);
    if (in.replay_2M.defined()) decision = mortise::replayed(in, items, 2);
    const at::Tensor x_NP = items.x_ND.select(1, 0).unsqueeze(1).expand({-1, 2});
    return mortise::make_routes(items, decision, x_NP - x_NP.detach() + 1);
  }

  RouteGranularity granularity() const override { return RouteGranularity::Sample; }

  int64_t num_paths() const override { return 2; }

  RouteInput given;
};

/// Path 0 adds 10; path 1 adds the sum of the row so far.
struct TwoPaths final : mortise::PathSet {
  BlockOutput run_samples(int64_t path, const BlockInput& in) override {
    last = in;
    BlockOutput out;
    out.x_BTD = in.x_BTD + (path == 0 ? at::full({1}, 10.0f) : in.x_BTD.cumsum(1));
    return out;
  }

  RouteGranularity granularity() const override { return kind; }

  int64_t num_paths() const override { return 2; }

  BlockInput last;
  RouteGranularity kind = RouteGranularity::Sample;
};

struct FakeHost final : mortise::Host {
  void* make(std::string_view interface_id, const Value&, const void*) override {
    if (interface_id == mortise::Router::kInterface)
      return static_cast<mortise::Router*>(router = new BySign);
    paths = new TwoPaths;
    paths->kind = kind;
    return static_cast<mortise::PathSet*>(paths);
  }

  RouteGranularity kind = RouteGranularity::Sample;
  BySign* router = nullptr;
  TwoPaths* paths = nullptr;
};

DynamicPath::Config config(FakeHost& host, const char* pool = "first") {
  return {Use<mortise::Router>(table_of("r"), &host),
          Use<mortise::PathSet>(table_of("p"), &host),
          pool};
}

BlockInput input(const at::Tensor& x_BT) {
  BlockInput in = mortise::test::input_of(x_BT.unsqueeze(2));
  in.positions_BT = at::arange(x_BT.size(1)).expand({x_BT.size(0), -1});
  return in;
}

at::Tensor samples() {
  return at::tensor({1.0f, 2.0f, -5.0f, -1.0f, 4.0f, 4.0f, 3.0f, 1.0f, 1.0f}).view({3, 3});
}

}  // namespace

TEST_SUITE("layer.dynamic_path") {
  TEST_CASE("each sample goes through its own path") {
    FakeHost host;
    DynamicPath layer(config(host), layer_args());
    const BlockOutput out = layer.forward(input(samples()));
    const at::Tensor expected =
        at::tensor({2.0f, 5.0f, -7.0f, 9.0f, 14.0f, 14.0f, 6.0f, 5.0f, 6.0f}).view({3, 3});
    CHECK(out.x_BTD.squeeze(2).equal(expected));
    CHECK(out.counts.at(0).name == "gate");
    CHECK(out.counts.at(0).value.equal(at::tensor({1, 2}, at::kLong)));
  }

  TEST_CASE("pooling takes the first token, or the mean of those that are no padding") {
    FakeHost host;
    BlockInput in = input(samples());
    in.segments_BT = at::tensor({1, 1, 0, 1, 1, 1, 1, 1, 1}, at::kInt).view({3, 3});
    DynamicPath first(config(host), layer_args());
    first.forward(in);
    CHECK(host.router->given.x_ND.view({3}).equal(at::tensor({1.0f, -1.0f, 3.0f})));
    DynamicPath mean(config(host, "mean"), layer_args());
    mean.forward(in);
    CHECK(host.router->given.x_ND[0].item<double>() == 1.5);
  }

  TEST_CASE("the router's weight gets the gradient of what its path changed") {
    FakeHost host;
    DynamicPath layer(config(host), layer_args());
    const at::Tensor x = samples().requires_grad_(true);
    layer.forward(input(x)).x_BTD.sum().backward();
    // Row 0 takes path 1: d/dx_t of x + cumsum is 1 + (tokens from t on), and the gate adds the sum
    // of what the path changed, 1 + 3 − 2, to the first token.
    CHECK(x.grad()[0][0].item<double>() == 1 + 3 + 2);
    CHECK(x.grad()[0][1].item<double>() == 1 + 2);
    CHECK(x.grad()[1][0].item<double>() == 1 + 30);
  }

  TEST_CASE("rows of several documents are refused with the key to change") {
    FakeHost host;
    DynamicPath layer(config(host), layer_args());
    BlockInput in = input(samples());
    in.segments_BT = at::tensor({1, 1, 2, 1, 1, 1, 1, 1, 1}, at::kInt).view({3, 3});
    CHECK_THROWS_WITH_AS(
        layer.forward(in), doctest::Contains("batch.packing = false"), mortise::Error);
  }

  TEST_CASE("paths get the borders, kinds and positions of their own rows") {
    FakeHost host;
    DynamicPath layer(config(host), layer_args());
    BlockInput in = input(samples());
    in.segments_BT = at::tensor({1, 1, 1, 1, 1, 1, 1, 1, 0}, at::kInt).view({3, 3});
    in.offsets_S = at::tensor({0, 3, 6, 8, 9}, at::kLong);
    in.kinds_B = at::tensor({4, 5, 6}, at::kLong);
    layer.forward(in);
    CHECK(host.paths->last.offsets_S.equal(at::tensor({0, 3, 5, 6}, at::kLong)));  // rows 0 and 2
    CHECK(host.paths->last.kinds_B.equal(at::tensor({4, 6}, at::kLong)));
    CHECK(host.paths->last.segments_BT.size(0) == 2);
  }

  TEST_CASE("generating step by step equals the whole row") {
    FakeHost host;
    DynamicPath layer(config(host), layer_args());
    const at::Tensor whole = layer.forward(input(samples())).x_BTD;
    mortise::KvCache cache(1, 8);
    int64_t done = 0;
    for (const int64_t count : {1, 2}) {
      BlockInput in = input(samples().narrow(1, done, count));
      in.positions_BT = in.positions_BT + done;
      in.cache = &cache;
      CHECK(layer.forward(in).x_BTD.equal(whole.narrow(1, done, count)));
      cache.advance(count);
      done += count;
    }
  }

  TEST_CASE("a path set for tokens is refused, and the right layer named") {
    FakeHost host;
    host.kind = RouteGranularity::Token;
    CHECK_THROWS_WITH_AS(
        DynamicPath(config(host), layer_args()), doctest::Contains("\"moe\""), mortise::Error);
  }
}
