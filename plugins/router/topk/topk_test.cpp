#include "topk.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::RouteInput;
using mortise::Routes;
using mortise::router::topk::Topk;

namespace {

constexpr int64_t kItems = 11, kWidth = 6, kExperts = 5;

using Rows = std::vector<std::vector<double>>;

std::unique_ptr<Topk> make_topk(Topk::Config config = {}) {
  config.experts = kExperts;
  mortise::RouterArgs args;
  args.width = kWidth;
  auto router = std::make_unique<Topk>(config, args);
  at::manual_seed(4);
  for (const auto& parameter : router->parameters())
    parameter.tensor.detach().copy_(at::randn(parameter.tensor.sizes()));
  return router;
}

RouteInput input() {
  at::manual_seed(9);
  RouteInput in;
  in.x_ND = at::randn({kItems, kWidth});
  return in;
}

Rows rows_of(const at::Tensor& tensor) {
  const at::Tensor wide = tensor.detach().to(at::kDouble).contiguous();
  Rows rows;
  for (int64_t n = 0; n < wide.size(0); ++n) {
    const double* row = wide.const_data_ptr<double>() + n * wide.size(1);
    rows.emplace_back(row, row + wide.size(1));
  }
  return rows;
}

/// Slow maths: scores, softmax over all, the k best of each row.
struct Slow {
  Rows scores, probabilities;
  std::vector<std::vector<size_t>> best;

  Slow(const RouteInput& in, const Topk& router, size_t k) {
    const Rows x = rows_of(in.x_ND), w = rows_of(router.parameters()[0].tensor);
    for (const auto& item : x) {
      std::vector<double> score, probability;
      double sum = 0;
      for (const auto& expert : w) {
        double dot = 0;
        for (size_t d = 0; d < item.size(); ++d) dot += item[d] * expert[d];
        score.push_back(dot);
        sum += std::exp(dot);
      }
      for (const double s : score) probability.push_back(std::exp(s) / sum);
      std::vector<size_t> order = {0, 1, 2, 3, 4};
      std::sort(
          order.begin(), order.end(), [&](size_t a, size_t b) { return score[a] > score[b]; });
      order.resize(k);
      scores.push_back(score);
      probabilities.push_back(probability);
      best.push_back(order);
    }
  }

  double chosen_sum(size_t n) const {
    double sum = 0;
    for (const size_t e : best[n]) sum += probabilities[n][e];
    return sum;
  }

  bool chose(size_t n, size_t e) const {
    return std::find(best[n].begin(), best[n].end(), e) != best[n].end();
  }
};

/// Calls f(item, expert, weight) for each place of the list.
template <class F>
void for_list(const Routes& routes, F f) {
  for (int64_t m = 0; m < routes.item_M.size(0); ++m)
    f(static_cast<size_t>(routes.item_M[m].item<int64_t>()),
      static_cast<size_t>(routes.path_M[m].item<int64_t>()),
      routes.weight_M[m].item<double>());
}

double loss_named(const Routes& routes, const std::string& name) {
  for (const auto& loss : routes.losses)
    if (loss.name == name) return loss.value.item<double>();
  return NAN;
}

double stat_named(const Routes& routes, const std::string& name) {
  for (const auto& stat : routes.stats)
    if (stat.name == name) return stat.value.item<double>();
  return NAN;
}

}  // namespace

TEST_SUITE("router.topk") {
  TEST_CASE("choice and weights follow the formulas, worked in double") {
    const RouteInput in = input();
    for (const int64_t k : {1, 2, 3}) {
      for (const char* softmax : {"before", "after"}) {
        for (const bool renormalise : {false, true}) {
          const auto made = make_topk({.k = k, .softmax = softmax, .renormalise = renormalise});
          Topk& router = *made;
          const Slow slow(in, router, static_cast<size_t>(k));
          const Routes routes = router.route(in);
          REQUIRE(routes.item_M.size(0) == kItems * k);
          const bool sums_to_one = renormalise || std::string(softmax) == "after";
          for_list(routes, [&](size_t n, size_t e, double weight) {
            CHECK(slow.chose(n, e));
            const double expected =
                slow.probabilities[n][e] / (sums_to_one ? slow.chosen_sum(n) : 1);
            CHECK(weight == doctest::Approx(expected).epsilon(1e-5));
          });
        }
      }
    }
  }

  TEST_CASE("losses follow the formulas, worked in double") {
    RouteInput in = input();
    in.sequence_N = at::tensor({0, 0, 0, 0, 2, 2, 2, 3, 3, 3, 3}, at::kLong);  // none has number 1
    const auto made = make_topk({.aux_loss = 0.5, .sequence_aux_loss = 0.25, .z_loss = 0.125});
    Topk& router = *made;
    const Slow slow(in, router, 2);
    const auto balance = [&](size_t begin, size_t end) {
      double sum = 0;
      for (size_t e = 0; e < kExperts; ++e) {
        double chosen = 0, probability = 0;
        for (size_t n = begin; n < end; ++n) {
          chosen += slow.chose(n, e) ? 1 : 0;
          probability += slow.probabilities[n][e];
        }
        const auto count = static_cast<double>(end - begin);
        sum += chosen / (2 * count) * probability / count;
      }
      return sum * kExperts;
    };
    double z = 0;
    for (const auto& scores : slow.scores) {
      double sum = 0;
      for (const double s : scores) sum += std::exp(s);
      z += std::log(sum) * std::log(sum) / kItems;
    }
    const Routes routes = router.route(in);
    CHECK(loss_named(routes, "aux_loss") == doctest::Approx(0.5 * balance(0, 11)).epsilon(1e-5));
    const double sequences = (balance(0, 4) + balance(4, 7) + balance(7, 11)) / 3;
    CHECK(loss_named(routes, "sequence_aux_loss") ==
          doctest::Approx(0.25 * sequences).epsilon(1e-5));
    CHECK(loss_named(routes, "router_z_loss") == doctest::Approx(0.125 * z).epsilon(1e-5));
  }

  TEST_CASE("over capacity the highest scores stay, or the first tokens") {
    const RouteInput in = input();
    for (const char* drop : {"probs", "position"}) {
      CAPTURE(drop);
      // ⌈11 · 2 / 5 · 0.6⌉ = 3 places an expert
      const auto made = make_topk({.capacity_factor = 0.6, .drop = drop});
      Topk& router = *made;
      const Slow slow(in, router, 2);
      const Routes routes = router.route(in);
      int64_t kept = 0, chosen = 0;
      for (size_t e = 0; e < kExperts; ++e) {
        std::vector<size_t> wanted;
        for (size_t n = 0; n < kItems; ++n)
          if (slow.chose(n, e)) wanted.push_back(n);
        chosen += static_cast<int64_t>(wanted.size());
        CHECK(routes.counts_P[static_cast<int64_t>(e)].item<int64_t>() ==
              static_cast<int64_t>(wanted.size()));
        if (std::string(drop) == "probs")
          std::sort(wanted.begin(), wanted.end(), [&](size_t a, size_t b) {
            return slow.scores[a][e] > slow.scores[b][e];
          });
        if (wanted.size() > 3) wanted.resize(3);
        std::sort(wanted.begin(), wanted.end());
        std::vector<size_t> found;
        for_list(routes, [&](size_t n, size_t expert, double) {
          if (expert == e) found.push_back(n);
        });
        CHECK(found == wanted);
        kept += static_cast<int64_t>(found.size());
      }
      REQUIRE(kept < chosen);  // or this tests nothing
      CHECK(routes.dropped_2K.size(1) == chosen - kept);
      CHECK(stat_named(routes, "drop_rate") ==
            doctest::Approx(1 - static_cast<double>(kept) / static_cast<double>(chosen)));
    }
  }

  TEST_CASE("a replay keeps what was dropped out, with the same weights") {
    const auto made = make_topk({.capacity_factor = 0.6});
    Topk& router = *made;
    RouteInput in = input();
    const Routes first = router.route(in);
    in.replay_2M = first.record();
    const Routes again = router.route(in);
    CHECK(again.item_M.equal(first.item_M));
    CHECK(again.path_M.equal(first.path_M));
    CHECK(again.weight_M.equal(first.weight_M));
    CHECK(again.counts_P.equal(first.counts_P));
    CHECK(again.dropped_2K.equal(first.dropped_2K));
  }

  TEST_CASE("a record of another batch is refused") {
    const auto made = make_topk();
    Topk& router = *made;
    RouteInput in = input();
    in.replay_2M = at::tensor({kItems, int64_t{0}}, at::kLong).view({2, 1});
    CHECK_THROWS_WITH_AS(router.route(in), doctest::Contains("another batch"), mortise::Error);
  }

  TEST_CASE(
      "noise and jitter change the scores in training only, and draw numbers in a replay too") {
    for (const bool noisy : {true, false}) {
      const auto made = make_topk({.noisy = noisy, .jitter = noisy ? 0 : 0.3});
      Topk& router = *made;
      RouteInput in = input();
      router.train(false);
      CHECK(router.route(in).weight_M.equal(router.route(in).weight_M));
      router.train(true);
      at::manual_seed(1);
      const Routes one = router.route(in), two = router.route(in);
      CHECK_FALSE(one.record().equal(two.record()));
      at::manual_seed(1);
      in.replay_2M = one.record();
      CHECK(router.route(in).weight_M.equal(one.weight_M));
      const double after_replay = at::rand({1}).item<double>();
      at::manual_seed(1);
      in.replay_2M = at::Tensor();
      router.route(in);
      CHECK(at::rand({1}).item<double>() == after_replay);
    }
  }

  TEST_CASE("numbers that do not fit are refused") {
    mortise::RouterArgs args;
    args.width = kWidth;
    CHECK_THROWS_WITH_AS(Topk({}, args), doctest::Contains("how many experts"), mortise::Error);
    args.num_paths = 4;
    CHECK_THROWS_WITH_AS(
        Topk({.k = 5}, args), doctest::Contains("k = 5 and 4 experts"), mortise::Error);
    CHECK_THROWS_WITH_AS(Topk({.experts = 3}, args),
                         doctest::Contains("3 experts and the path set 4"),
                         mortise::Error);
    CHECK(Topk({.k = 4}, args).num_paths() == 4);
  }
}
