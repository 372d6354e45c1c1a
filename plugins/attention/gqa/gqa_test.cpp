#include "gqa.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::AttentionArgs;
using mortise::BlockInput;
using mortise::KvCache;
using mortise::Use;
using mortise::Value;
using mortise::attention::gqa::Gqa;

namespace {

constexpr int64_t kWidth = 12, kHeads = 6, kGroups = 2, kHeadDim = 4;

/// Adds the position to every component: enough to see which positions arrive.
struct AddPosition final : mortise::Position {
  std::pair<at::Tensor, at::Tensor> rotate(const at::Tensor& q,
                                           const at::Tensor& k,
                                           const at::Tensor& positions) override {
    const at::Tensor shift = 0.01 * positions.unsqueeze(-1).unsqueeze(-1);
    return {q + shift, k + shift};
  }
};

/// Another scale for every component of a head, without parameters.
struct Ramp final : mortise::Norm {
  at::Tensor forward(const at::Tensor& x) override {
    return x * at::linspace(0.5, 2, x.size(-1), x.options());
  }
};

struct FakeHost final : mortise::Host {
  void* make(std::string_view interface_id, const Value&, const void* args) override {
    if (interface_id == mortise::Norm::kInterface) {
      CHECK(static_cast<const mortise::NormArgs*>(args)->width == kHeadDim);
      return static_cast<mortise::Norm*>(new Ramp);
    }
    return static_cast<mortise::Position*>(new AddPosition);
  }
};

struct Extras {
  std::optional<int64_t> window;
  bool norm = false;
};

Gqa make_gqa(const std::string& kernel, const Extras& extras = {}) {
  static FakeHost host;
  Value position = Value::table();
  position["type"] = "fake";
  Gqa::Config config;
  config.heads = kHeads;
  config.kv_heads = kGroups;
  config.head_dim = kHeadDim;
  config.bias = true;
  config.output_bias = true;
  config.position = Use<mortise::Position>(position, &host);
  config.kernel = kernel;
  config.sliding_window = extras.window;
  if (extras.norm) config.qk_norm = Use<mortise::Norm>(position, &host);
  AttentionArgs args;
  args.width = kWidth;
  return Gqa(config, args);
}

void fill(Gqa& attention) {
  at::manual_seed(5);
  for (const auto& parameter : attention.parameters())
    parameter.tensor.detach().copy_(0.5 * at::randn(parameter.tensor.sizes()));
}

/// The same weights in another one.
void copy_weights(Gqa& attention, Gqa& twin) {
  const auto from = attention.parameters(), to = twin.parameters();
  for (size_t i = 0; i < from.size(); ++i) to[i].tensor.detach().copy_(from[i].tensor);
}

BlockInput input_of(const at::Tensor& x_BTD) {
  BlockInput in;
  in.x_BTD = x_BTD;
  in.positions_BT = at::arange(x_BTD.size(1), at::kLong).unsqueeze(0).repeat({x_BTD.size(0), 1});
  return in;
}

/// Largest |a − b| relative to the largest |b|.
double difference(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE((a.sizes() == b.sizes()));
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

/// The definition, in loops over doubles.  One row; prefix_* may be undefined.
at::Tensor by_hand(Gqa& attention, const BlockInput& in, const Extras& extras = {}) {
  std::vector<at::Tensor> p;
  for (const auto& parameter : attention.parameters())
    p.push_back(parameter.tensor.detach().to(at::kDouble));
  const at::Tensor x = in.x_BTD[0].detach().to(at::kDouble);
  const int64_t tokens = x.size(0),
                prefix = in.prefix_k_BGPK.defined() ? in.prefix_k_BGPK.size(2) : 0;
  const at::Tensor shift = 0.01 * (in.positions_BT[0] + prefix).unsqueeze(1).unsqueeze(1);
  const at::Tensor scale =
      extras.norm ? at::linspace(0.5, 2, kHeadDim, at::kDouble) : at::ones({kHeadDim}, at::kDouble);
  const at::Tensor q = at::linear(x, p[0], p[1]).view({tokens, kHeads, kHeadDim}) * scale + shift;
  const at::Tensor k = at::linear(x, p[2], p[3]).view({tokens, kGroups, kHeadDim}) * scale + shift;
  const at::Tensor v = at::linear(x, p[4], p[5]).view({tokens, kGroups, kHeadDim});
  at::Tensor heads = at::zeros({tokens, kHeads, kHeadDim}, at::kDouble);
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t h = 0; h < kHeads; ++h) {
      const int64_t g = h / (kHeads / kGroups);
      std::vector<at::Tensor> keys, values;
      for (int64_t i = 0; i < prefix; ++i) {
        keys.push_back(in.prefix_k_BGPK[0][g][i].to(at::kDouble));
        values.push_back(in.prefix_v_BGPK[0][g][i].to(at::kDouble));
      }
      int64_t first = 0;  // of this token's document
      if (in.offsets_S.defined())
        for (int64_t s = 0; s < in.offsets_S.size(0); ++s)
          if (in.offsets_S[s].item<int64_t>() <= t) first = in.offsets_S[s].item<int64_t>();
      if (extras.window) first = std::max(first, t + 1 - *extras.window);
      for (int64_t u = first; u <= t; ++u) {
        keys.push_back(k[u][g]);
        values.push_back(v[u][g]);
      }
      const at::Tensor weights = at::softmax(at::mv(at::stack(keys), q[t][h]) / std::sqrt(4.0), 0);
      heads[t][h] = at::mv(at::stack(values).t(), weights);
    }
  return at::linear(heads.view({tokens, kHeads * kHeadDim}), p[6], p[7])
      .unsqueeze(0)
      .to(at::kFloat);
}

}  // namespace

TEST_SUITE("attention.gqa") {
  TEST_CASE("every kernel matches the definition") {
    at::manual_seed(11);
    BlockInput in = input_of(at::randn({1, 7, kWidth}));
    SUBCASE("one document") {}
    SUBCASE("packed documents") {
      in.offsets_S = at::tensor({0, 3, 4, 7}, at::kLong);
      in.positions_BT = at::tensor({0, 1, 2, 0, 0, 1, 2}, at::kLong).unsqueeze(0);
    }
    SUBCASE("a prefix") {
      in.prefix_k_BGPK = at::randn({1, kGroups, 3, kHeadDim});
      in.prefix_v_BGPK = at::randn({1, kGroups, 3, kHeadDim});
    }
    SUBCASE("packed documents that all see the prefix") {
      in.offsets_S = at::tensor({0, 2, 7}, at::kLong);
      in.positions_BT = at::tensor({0, 1, 0, 1, 2, 3, 4}, at::kLong).unsqueeze(0);
      in.prefix_k_BGPK = at::randn({1, kGroups, 2, kHeadDim});
      in.prefix_v_BGPK = at::randn({1, kGroups, 2, kHeadDim});
    }
    const Extras kinds[] = {{}, {3, false}, {1, false}, {7, false}, {{}, true}, {2, true}};
    for (const std::string kernel : {"auto", "eager", "sdpa"})
      for (const Extras& extras : kinds) {
        CAPTURE(kernel);
        CAPTURE(extras.window.value_or(0));
        CAPTURE(extras.norm);
        Gqa attention = make_gqa(kernel, extras);
        fill(attention);
        const at::Tensor expected = by_hand(attention, in, extras);
        CHECK(difference(attention.forward(in).detach(), expected) < 1e-6);
        const c10::InferenceMode
            inference;  // another product is chosen where no gradient is wanted
        CHECK(difference(attention.forward(in), expected) < 1e-6);
      }
  }

  TEST_CASE("chunks through a cache give what the whole sequence gives") {
    const c10::InferenceMode inference;
    std::optional<int64_t> window;
    SUBCASE("all keys are seen") {}
    SUBCASE("a window shorter than the first chunk") { window = 3; }
    SUBCASE("a window longer than the first chunk") { window = 5; }
    SUBCASE("only the token itself is seen") { window = 1; }
    for (const std::string kernel : {"auto", "eager", "sdpa"}) {
      CAPTURE(kernel);
      Gqa attention = make_gqa(kernel, {window, false});
      fill(attention);
      const BlockInput whole = input_of(at::randn({2, 9, kWidth}));
      const at::Tensor expected = attention.forward(whole);
      KvCache cache(1, 9);
      std::vector<at::Tensor> parts;
      for (const int64_t count :
           {4, 1, 3, 1}) {  // the chunk of 3 is where a top-left mask goes wrong
        BlockInput in;
        in.x_BTD = whole.x_BTD.narrow(1, cache.length(), count);
        in.positions_BT = whole.positions_BT.narrow(1, cache.length(), count);
        in.cache = &cache;
        parts.push_back(attention.forward(in));
        cache.advance(count);
      }
      CHECK(difference(at::cat(parts, 1), expected) < 1e-6);
    }
  }

  TEST_CASE("a cache with a window holds little, and one token after another sees the right keys") {
    const c10::InferenceMode inference;
    constexpr int64_t kWindow = 5, kTokens = 300;
    Gqa attention = make_gqa("auto", {kWindow, false});
    fill(attention);
    const BlockInput whole = input_of(at::randn({2, kTokens, kWidth}));
    Gqa twin = make_gqa("eager", {kWindow, false});
    copy_weights(attention, twin);
    const at::Tensor expected = twin.forward(whole);
    KvCache cache(1, kTokens);
    std::vector<at::Tensor> parts;
    while (cache.length() < kTokens) {
      BlockInput in;
      const int64_t count = cache.length() == 0 ? 3 * kWindow : 1;
      in.x_BTD = whole.x_BTD.narrow(1, cache.length(), count);
      in.positions_BT = whole.positions_BT.narrow(1, cache.length(), count);
      in.cache = &cache;
      parts.push_back(attention.forward(in));
      cache.advance(count);
    }
    CHECK(difference(at::cat(parts, 1), expected) < 1e-5);
    CHECK(cache.bytes() < 2 * 2 * kGroups * kHeadDim * 4 * 50);
  }

  TEST_CASE("long rows and packed documents with a window give the masked gradients") {
    const int64_t window = 9, tokens = 600;
    for (const bool packed : {false, true}) {
      CAPTURE(packed);
      Gqa attention = make_gqa("auto", {window, false});
      fill(attention);
      Gqa twin = make_gqa("eager", {window, false});
      copy_weights(attention, twin);
      const at::Tensor x = at::randn({1, tokens, kWidth});
      std::vector<at::Tensor> gradients;
      for (Gqa* each : {&attention, &twin}) {
        BlockInput in = input_of(x.clone().set_requires_grad(true));
        if (packed) in.offsets_S = at::tensor({0, 4, 250, 259, 600}, at::kLong);
        each->forward(in).pow(2).sum().backward();
        gradients.push_back(in.x_BTD.grad());
      }
      CHECK(difference(gradients[0], gradients[1]) < 1e-5);
      const c10::InferenceMode inference;
      const BlockInput in = input_of(x);
      CHECK(difference(attention.forward(in), twin.forward(in)) < 1e-5);
    }
  }

  TEST_CASE("gradients of packed documents equal those of separate ones") {
    Gqa attention = make_gqa("auto");
    fill(attention);
    const at::Tensor x = at::randn({1, 5, kWidth}).set_requires_grad(true);
    BlockInput packed = input_of(x);
    packed.offsets_S = at::tensor({0, 2, 5}, at::kLong);
    packed.positions_BT = at::tensor({0, 1, 0, 1, 2}, at::kLong).unsqueeze(0);
    attention.forward(packed).pow(2).sum().backward();
    const at::Tensor together = x.grad().clone();
    x.mutable_grad() = at::Tensor();
    const at::Tensor loss = attention.forward(input_of(x.narrow(1, 0, 2))).pow(2).sum() +
                            attention.forward(input_of(x.narrow(1, 2, 3))).pow(2).sum();
    loss.backward();
    CHECK(difference(together, x.grad()) < 1e-6);
  }

  TEST_CASE("sizes that do not fit are refused") {
    AttentionArgs args;
    args.width = 10;
    Gqa::Config config;
    config.heads = 4;
    config.kv_heads = 3;
    CHECK_THROWS_WITH_AS(Gqa(config, args),
                         doctest::Contains("kv_heads must divide heads, got 3 and 4"),
                         mortise::Error);
    config.kv_heads.reset();
    CHECK_THROWS_WITH_AS(
        Gqa(config, args), doctest::Contains("got width 10 and heads 4"), mortise::Error);
  }

  TEST_CASE("a cache refuses packed documents") {
    Gqa attention = make_gqa("auto");
    fill(attention);
    KvCache cache(1, 4);
    BlockInput in = input_of(at::randn({1, 4, kWidth}));
    in.offsets_S = at::tensor({0, 4}, at::kLong);
    in.cache = &cache;
    CHECK_THROWS_WITH_AS(
        attention.forward(in), doctest::Contains("one sequence a row"), mortise::Error);
  }
}
