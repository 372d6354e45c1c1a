#include "sigmoid_bias.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::RouteInput;
using mortise::Routes;
using mortise::router::sigmoid_bias::SigmoidBias;

namespace {

constexpr int64_t kItems = 40, kWidth = 7, kExperts = 12, kGroups = 4, kLimit = 2, kChosen = 3;

SigmoidBias::Config config() {
  return {.experts = kExperts,
          .k = kChosen,
          .groups = kGroups,
          .group_limit = kLimit,
          .scale = 2.5,
          .bias_rate = 0.25,
          .sequence_aux_loss = 0.5};
}

SigmoidBias make_router(const SigmoidBias::Config& wanted) {
  mortise::RouterArgs args;
  args.width = kWidth;
  return SigmoidBias(wanted, args);
}

at::Tensor weight_of(const SigmoidBias& router) { return router.tensors()[0].tensor.detach(); }

at::Tensor bias_of(const SigmoidBias& router) { return router.tensors()[1].tensor; }

/// DeepSeek-V3's router written out in double for one token.
struct Slow {
  std::vector<double> scores;   // sigmoid
  std::vector<size_t> experts;  // ascending
  std::vector<double> weights;  // of those
  double margin = INFINITY;     // the closest decision

  Slow(const double* x, const double* w, const double* bias) {
    std::vector<double> choice;
    for (int64_t e = 0; e < kExperts; ++e) {
      double dot = 0;
      for (int64_t d = 0; d < kWidth; ++d) dot += x[d] * w[e * kWidth + d];
      scores.push_back(1 / (1 + std::exp(-dot)));
      choice.push_back(scores.back() + bias[e]);
    }
    const size_t in_group = kExperts / kGroups;
    std::vector<std::pair<double, size_t>> groups;
    for (size_t g = 0; g < kGroups; ++g) {
      std::vector<double> members(choice.begin() + static_cast<std::ptrdiff_t>(g * in_group),
                                  choice.begin() + static_cast<std::ptrdiff_t>((g + 1) * in_group));
      std::sort(members.rbegin(), members.rend());
      groups.emplace_back(members[0] + members[1], g);
    }
    std::sort(groups.rbegin(), groups.rend());
    margin = groups[kLimit - 1].first - groups[kLimit].first;
    std::vector<std::pair<double, size_t>> open;
    for (size_t i = 0; i < kLimit; ++i)
      for (size_t m = 0; m < in_group; ++m) {
        const size_t e = groups[i].second * in_group + m;
        open.emplace_back(choice[e], e);
      }
    std::sort(open.rbegin(), open.rend());
    margin = std::min(margin, open[kChosen - 1].first - open[kChosen].first);
    double sum = 0;
    for (size_t i = 0; i < kChosen; ++i) {
      experts.push_back(open[i].second);
      sum += scores[open[i].second];
    }
    std::sort(experts.begin(), experts.end());
    for (const size_t e : experts) weights.push_back(scores[e] / (sum + 1e-20) * 2.5);
  }
};

}  // namespace

TEST_SUITE("router.sigmoid_bias") {
  TEST_CASE("equals DeepSeek-V3's router worked in double, with biases of both signs") {
    SigmoidBias router = make_router(config());
    at::manual_seed(3);
    weight_of(router).copy_(at::randn({kExperts, kWidth}));
    // Some biased scores are negative: closed groups must get −∞, 0 would win over them.
    bias_of(router).copy_(at::randn({kExperts}) * 0.3 - 0.9);
    bias_of(router)[5].fill_(0.3);
    REQUIRE((bias_of(router).min().item<double>() < -0.5));
    REQUIRE((bias_of(router).max().item<double>() > 0.1));
    RouteInput in;
    in.x_ND = at::randn({kItems, kWidth});
    const Routes routes = router.route(in);
    REQUIRE(routes.item_M.size(0) == kItems * kChosen);

    const at::Tensor x = in.x_ND.to(at::kDouble), w = weight_of(router).to(at::kDouble),
                     b = bias_of(router).to(at::kDouble);
    int64_t negative = 0;
    for (int64_t n = 0; n < kItems; ++n) {
      const Slow slow(
          x[n].const_data_ptr<double>(), w.const_data_ptr<double>(), b.const_data_ptr<double>());
      REQUIRE(slow.margin > 1e-5);
      std::vector<size_t> experts;
      std::vector<double> weights;
      for (int64_t m = 0; m < routes.item_M.size(0); ++m) {
        if (routes.item_M[m].item<int64_t>() != n) continue;
        experts.push_back(static_cast<size_t>(routes.path_M[m].item<int64_t>()));
        weights.push_back(routes.weight_M[m].item<double>());
      }
      CHECK((experts == slow.experts));
      for (size_t i = 0; i < weights.size(); ++i) {
        CHECK(weights[i] == doctest::Approx(slow.weights[i]).epsilon(1e-5));
        const double biased =
            slow.scores[experts[i]] + b[static_cast<int64_t>(experts[i])].item<double>();
        negative += biased < 0 ? 1 : 0;
      }
    }
    CHECK(negative > 0);  // chosen although negative: the case that a mask of 0 gets wrong
  }

  TEST_CASE("the sequence-wise loss follows the paper") {
    SigmoidBias router = make_router(config());
    at::manual_seed(5);
    weight_of(router).copy_(at::randn({kExperts, kWidth}));
    RouteInput in;
    in.x_ND = at::randn({9, kWidth});
    in.sequence_N = at::tensor({0, 0, 0, 0, 0, 1, 1, 1, 1}, at::kLong);
    const Routes routes = router.route(in);
    const at::Tensor s =
        at::sigmoid(at::matmul(in.x_ND.to(at::kDouble), weight_of(router).to(at::kDouble).t()));
    double expected = 0;
    for (const auto& [begin, end] : {std::pair{0, 5}, {5, 9}}) {
      for (int64_t e = 0; e < kExperts; ++e) {
        double chosen = 0, share = 0;
        for (int64_t n = begin; n < end; ++n) {
          share += s[n][e].item<double>() / s[n].sum().item<double>() / (end - begin);
          chosen += (routes.item_M == n).logical_and(routes.path_M == e).sum().item<double>();
        }
        expected +=
            0.5 * kExperts / static_cast<double>(kChosen * (end - begin)) * chosen * share / 2;
      }
    }
    REQUIRE(routes.losses.size() == 1);
    CHECK(routes.losses[0].value.item<double>() == doctest::Approx(expected).epsilon(1e-5));
  }

  TEST_CASE("the bias moves by its rate against the load, once a step") {
    SigmoidBias router = make_router({.experts = 4, .bias_rate = 0.25});
    router.after_step(at::tensor({10, 0, 6, 8}, at::kLong));  // mean 6
    CHECK(bias_of(router).equal(at::tensor({-0.25f, 0.25f, 0.0f, -0.25f})));
    router.after_step(at::tensor({0, 9, 0, 0}, at::kLong));
    CHECK(bias_of(router).equal(at::tensor({0.0f, 0.0f, 0.25f, 0.0f})));
  }

  TEST_CASE("the bias is a saved fp32 buffer and gets no gradient") {
    mortise::RouterArgs args;
    args.width = kWidth;
    args.build.dtype = at::kBFloat16;
    const SigmoidBias router({.experts = 4}, args);
    REQUIRE(router.parameters().size() == 1);
    const auto tensors = router.tensors();
    REQUIRE(tensors.size() == 2);
    CHECK(tensors[1].name == "e_score_correction_bias");
    CHECK(tensors[1].is_buffer);
    CHECK((tensors[1].tensor.scalar_type() == at::kFloat));
    CHECK_FALSE(tensors[1].tensor.requires_grad());
  }

  TEST_CASE("numbers that do not fit are refused") {
    CHECK_THROWS_WITH_AS(make_router({.experts = 10, .groups = 4}),
                         doctest::Contains("groups must divide experts"),
                         mortise::Error);
    CHECK_THROWS_WITH_AS(make_router({.experts = 8, .groups = 4, .group_limit = 5}),
                         doctest::Contains("group_limit"),
                         mortise::Error);
    CHECK_THROWS_WITH_AS(make_router({.experts = 8, .k = 3, .groups = 4, .group_limit = 1}),
                         doctest::Contains("the 2 experts of 1 groups"),
                         mortise::Error);
    CHECK_THROWS_WITH_AS(
        make_router({.experts = 8, .k = 9}), doctest::Contains("k must be"), mortise::Error);
  }
}
