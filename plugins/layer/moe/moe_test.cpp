#include "moe.hpp"

#include <cmath>
#include <string>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/torch/routing.hpp"

#include "tests/support/layer_fakes.hpp"

using namespace mortise::test;
using mortise::BlockInput;
using mortise::BlockOutput;
using mortise::RouteGranularity;
using mortise::RouteInput;
using mortise::Routes;
using mortise::Use;
using mortise::Value;
using mortise::layer::moe::Moe;

namespace {

/// Item n goes to expert n mod 3 with weight 0.5; keeps what it was given.
struct RoundRobin final : mortise::Router {
  explicit RoundRobin(RouteGranularity kind) : kind_(kind) {}

  Routes route(const RouteInput& in) override {
    given = in;
    const auto items = mortise::valid_items(in);
    mortise::RouteDecision decision;
    const at::Tensor number = at::arange(items.count());
    decision.chosen_NP = at::one_hot(number.remainder(3), 3).to(at::kBool);
    at::Tensor weight_NP = decision.chosen_NP.to(at::kFloat) * 0.5;
    if (in.replay_2M.defined()) decision = mortise::replayed(in, items, 3);
    Routes routes = mortise::make_routes(items, decision, weight_NP);
    routes.losses = {{"aux", at::ones({})}};
    routes.stats = {{"load", at::zeros({})}};
    return routes;
  }

  RouteGranularity granularity() const override { return kind_; }

  int64_t num_paths() const override { return 3; }

  RouteInput given;
  RouteGranularity kind_;
};

/// Expert e multiplies by e + 1.
struct Scaling final : mortise::PathSet {
  at::Tensor run_tokens(const at::Tensor& x_MD, std::span<const int64_t> borders) override {
    at::Tensor y_MD = x_MD.clone();
    for (size_t e = 0; e + 1 < borders.size(); ++e)
      y_MD.narrow(0, borders[e], borders[e + 1] - borders[e]).mul_(static_cast<double>(e + 1));
    return y_MD;
  }

  RouteGranularity granularity() const override { return RouteGranularity::Token; }

  int64_t num_paths() const override { return 3; }
};

struct MoeHost final : LayerHost {
  void* make(std::string_view interface_id, const Value& config, const void* args) override {
    if (interface_id == mortise::Router::kInterface)
      return static_cast<mortise::Router*>(router = new RoundRobin(kind));
    if (interface_id == mortise::PathSet::kInterface)
      return static_cast<mortise::PathSet*>(new Scaling);
    return LayerHost::make(interface_id, config, args);
  }

  RouteGranularity kind = RouteGranularity::Token;
  RoundRobin* router = nullptr;  // the last one made
};

Moe::Config config(MoeHost& host, int64_t shared = 0) {
  Value paths = table_of("p");
  paths["hidden"] = 4;
  return {Use<mortise::Attention>(table_of("a"), &host),
          Use<mortise::Router>(table_of("r"), &host),
          Use<mortise::PathSet>(paths, &host),
          {},
          shared,
          {}};
}

}  // namespace

TEST_SUITE("layer.moe") {
  TEST_CASE("adds the weighted experts of each token to the residual stream") {
    MoeHost host;
    Moe layer(config(host), layer_args());
    const BlockOutput out =
        layer.forward(input_of(at::tensor({0.0f, 1.0f, 2.0f, 3.0f}).view({2, 2, 1})));
    // h = x + (2x + 1) = 3x + 1;  y = h + 0.5·(n mod 3 + 1)·2h
    const at::Tensor h = 3 * at::arange(4).to(at::kFloat) + 1;
    const at::Tensor factor = at::tensor({2.0f, 3.0f, 4.0f, 2.0f});
    CHECK(at::allclose(out.x_BTD.view({4}), h * factor, 1e-5, 1e-5));
    REQUIRE(out.counts.size() == 1);
    CHECK(out.counts[0].name == "mlp.gate");
    CHECK(out.counts[0].value.equal(at::tensor({2, 1, 1}, at::kLong)));
    CHECK(out.losses.at(0).name == "aux");
    CHECK(out.stats.at(0).name == "load");
  }

  TEST_CASE("padding keeps the residual, and documents and kinds reach the router") {
    MoeHost host;
    Moe layer(config(host), layer_args());
    BlockInput in = input_of(at::ones({2, 3, 1}));
    in.segments_BT = at::tensor({1, 1, 2, 1, 0, 0}, at::kInt).view({2, 3});
    in.offsets_S = at::tensor({0, 2, 3, 4, 5, 6}, at::kLong);
    in.kinds_B = at::tensor({5, 9}, at::kLong);
    const BlockOutput out = layer.forward(in);
    CHECK(host.router->given.valid_N.equal(at::tensor({1, 1, 1, 1, 0, 0}, at::kInt).to(at::kBool)));
    CHECK(host.router->given.sequence_N.narrow(0, 0, 4).equal(at::tensor({0, 0, 1, 2}, at::kLong)));
    CHECK(host.router->given.kind_N.equal(at::tensor({5, 5, 5, 9, 9, 9}, at::kLong)));
    CHECK(out.x_BTD[1][1].item<double>() == 4);  // h alone
    CHECK(out.x_BTD[1][0].item<double>() == 8);
  }

  TEST_CASE("recorded routes are replayed") {
    MoeHost host;
    Moe layer(config(host), layer_args());
    BlockInput in = input_of(at::rand({2, 3, 1}));
    const BlockOutput first = layer.forward(in);
    in.routes = first.routes;
    CHECK(layer.forward(in).x_BTD.equal(first.x_BTD));
    in.routes = first.routes.narrow(1, 0, 1);  // only item 0 to expert 0
    const at::Tensor y = layer.forward(in).x_BTD;
    CHECK(y[0][0].item<double>() == first.x_BTD[0][0].item<double>());
    CHECK(y[0][1].item<double>() == doctest::Approx(3 * in.x_BTD[0][1].item<double>() + 1));
  }

  TEST_CASE("shared experts are one SwiGLU of their summed width, for every token") {
    MoeHost host;
    Moe layer(config(host, /*shared=*/2), layer_args());
    std::string names;
    for (const auto& parameter : layer.parameters()) names += parameter.name + " ";
    CHECK(names ==
          "mlp.shared_experts.gate_proj.weight mlp.shared_experts.up_proj.weight "
          "mlp.shared_experts.down_proj.weight ");
    CHECK(layer.parameters()[0].tensor.size(0) == 8);
    for (const auto& parameter : layer.parameters()) parameter.tensor.detach().fill_(1);
    const at::Tensor x = at::full({1, 1, 1}, 0.5f);
    const double h = 2.5, n = 5;
    const double expected = h * 2 + 8 * n / (1 + std::exp(-n)) * n;
    CHECK(layer.forward(input_of(x)).x_BTD.item<double>() ==
          doctest::Approx(expected).epsilon(1e-6));
  }

  TEST_CASE("a router for samples is refused, and the right layer named") {
    MoeHost host;
    host.kind = RouteGranularity::Sample;
    CHECK_THROWS_WITH_AS(
        Moe(config(host), layer_args()), doctest::Contains("\"dynamic_path\""), mortise::Error);
  }
}
