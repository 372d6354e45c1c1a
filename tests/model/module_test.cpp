// The module tree, the chain of a linear layer, and the cache: SDK parts that every block stands
// on.
#include "mortise/torch/module.hpp"

#include <string>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/torch/kv_cache.hpp"
#include "mortise/torch/linear.hpp"

#include "tests/support/close.hpp"

using namespace mortise;

namespace {

struct Leaf final : Module {
  explicit Leaf(const BuildContext& build = {})
      : weight(add_parameter("weight", {2}, build, Init::ones())) {
    add_buffer("seen", at::zeros({1}, at::kLong), /*persistent=*/true);
    add_buffer("scratch", at::zeros({1}), /*persistent=*/false);
  }

  at::Tensor weight;
};

struct Tree final : Module {
  Tree()
      : left(add_child("left", std::make_shared<Leaf>())),
        right(add_child("right.deep", std::make_shared<Leaf>())) {
    add_tied("alias", left->weight, "left.weight");
  }

  void add_twice() { add_parameter("left", {1}, {}, Init::zeros()); }

  std::shared_ptr<Leaf> left, right;
};

/// Adds a constant to the result, or replaces it.
struct Plus final : LinearOp {
  explicit Plus(double by) : by_(by) {}

  at::Tensor forward(const Linear&, const at::Tensor& x, const Next& next) override {
    return next(x) + by_;
  }

  double by_;
};

struct Replace final : LinearOp {
  at::Tensor forward(const Linear& linear, const at::Tensor& x, const Next&) override {
    return at::zeros({x.size(0), linear.out_features()});
  }
};

}  // namespace

TEST_SUITE("sdk.module") {
  TEST_CASE("names are paths in order of registration, buffers and ties apart") {
    Tree tree;
    std::string names, kept;
    for (const NamedTensor& tensor : tree.parameters()) names += tensor.name + " ";
    for (const NamedTensor& tensor : tree.tensors()) kept += tensor.name + " ";
    CHECK(names == "left.weight right.deep.weight ");
    CHECK(kept == "left.weight left.seen right.deep.weight right.deep.seen ");
    REQUIRE(tree.ties().size() == 1);
    CHECK(tree.ties()[0].first == "alias");
    CHECK_THROWS_WITH_AS(tree.add_twice(), doctest::Contains("`left` is already used"), Error);
  }

  TEST_CASE("moving to another dtype keeps every handle, and integers stay integers") {
    Tree tree;
    const at::Tensor handle = tree.left->weight;
    handle.detach().fill_(3);
    tree.to(at::kBFloat16, at::kCPU);
    CHECK((handle.scalar_type() == at::kBFloat16));
    CHECK((tree.tensors()[1].tensor.scalar_type() == at::kLong));
    CHECK(handle[0].item<double>() == 3);
    CHECK(handle.requires_grad());
  }

  TEST_CASE("train reaches the whole tree") {
    Tree tree;
    tree.train(false);
    CHECK_FALSE(tree.right->is_training());
  }

  TEST_CASE("the meta device allocates nothing") {
    BuildContext build;
    build.device = at::kMeta;
    const Linear linear(build, 1 << 20, 1 << 20);
    CHECK(linear.weight().is_meta());
    CHECK(linear.parameters()[0].tensor.numel() == int64_t{1} << 40);
  }
}

TEST_SUITE("sdk.linear") {
  TEST_CASE("operations wrap the product in order, the last outermost") {
    Linear linear({}, 2, 1, {.bias = true, .residual = false});
    linear.weight().detach().copy_(at::tensor({1.f, 2.f}).view({1, 2}));
    linear.bias().detach().fill_(0.5);
    const at::Tensor x = at::ones({1, 2});
    CHECK(linear.is_plain());
    CHECK(linear(x).item<double>() == 3.5);
    linear.wrap("plus", std::make_shared<Plus>(10));
    CHECK(linear(x).item<double>() == 13.5);
    linear.wrap("replace", std::make_shared<Replace>());
    CHECK(linear(x).item<double>() == 0);
    linear.wrap("last", std::make_shared<Plus>(1));
    CHECK(linear(x).item<double>() == 1);
    CHECK_FALSE(linear.is_plain());
    CHECK_THROWS_WITH_AS(
        linear.wrap("plus", std::make_shared<Plus>(1)), doctest::Contains("already used"), Error);
  }

  TEST_CASE("gradients reach the weight through a chain") {
    Linear linear({}, 2, 1);
    linear.weight().detach().fill_(1);
    linear.wrap("plus", std::make_shared<Plus>(1));
    linear(at::tensor({2.f, 3.f}).view({1, 2})).sum().backward();
    CHECK(at::equal(linear.weight().grad(), at::tensor({2.f, 3.f}).view({1, 2})));
  }

  TEST_CASE("sizes must be positive") {
    CHECK_THROWS_WITH_AS(Linear({}, 0, 4), doctest::Contains("got 0 → 4"), Error);
  }
}

TEST_SUITE("sdk.kv_cache") {
  TEST_CASE("append gives all tokens so far and advance counts them once a forward") {
    KvCache cache(2, 5);
    const at::Tensor first = at::arange(12, at::kFloat).view({1, 3, 2, 2}),
                     second = at::full({1, 2, 2, 2}, 7.0);
    for (int64_t layer = 0; layer < 2; ++layer)
      CHECK(at::equal(cache.append(layer, first, first).first, first));
    CHECK(cache.length() == 0);
    cache.advance(3);
    const auto [k, v] = cache.append(0, second, second + 1);
    CHECK(at::equal(k, at::cat({first, second}, 1)));
    CHECK(at::equal(v, at::cat({first, second + 1}, 1)));
    CHECK(cache.bytes() == 2 * 2 * 5 * 4 * 4);
  }

  TEST_CASE("truncate forgets, and the room is used again") {
    KvCache cache(1, 4);
    const at::Tensor one = at::ones({1, 4, 1, 1});
    cache.append(0, one, one);
    cache.advance(4);
    cache.truncate(1);
    const at::Tensor two = at::full({1, 2, 1, 1}, 2.0);
    CHECK(at::equal(cache.append(0, two, two).first.flatten(), at::tensor({1.f, 2.f, 2.f})));
  }

  TEST_CASE("a window gives the last tokens before the new ones, whatever the chunks") {
    at::manual_seed(3);
    const int64_t total = 400;
    const at::Tensor k = at::randn({2, total, 2, 3}), v = at::randn({2, total, 2, 3});
    for (const int64_t window : {1, 2, 7, 40, 399, 400, 1000}) {
      KvCache cache(1, total);
      for (int64_t step = 0; cache.length() < total; ++step) {
        constexpr int64_t kCounts[] = {60, 1, 1, 3, 1, 45, 1};  // chunks beyond the buffer too
        const int64_t past = cache.length(), seen = std::min(past, window - 1),
                      count = std::min(kCounts[step % 7], total - past);
        const auto [got_k, got_v] =
            cache.append(0, k.narrow(1, past, count), v.narrow(1, past, count), window);
        CAPTURE(window);
        CAPTURE(past);
        REQUIRE(at::equal(got_k, k.narrow(1, past - seen, seen + count)));
        REQUIRE(at::equal(got_v, v.narrow(1, past - seen, seen + count)));
        cache.advance(count);
      }
    }
  }

  TEST_CASE("a window keeps its own tokens and an eighth more, not the whole sequence") {
    const auto bytes_of = [](int64_t window, bool forgets) {
      KvCache cache(1, 8192, forgets);
      const at::Tensor x = at::zeros({1, 8192, 2, 4});
      cache.append(0, x, x, window);
      return cache.bytes();
    };
    const int64_t token = 2 * 2 * 4 * 4;  // bytes of one key and one value
    CHECK(bytes_of(0, true) == 8192 * token);
    CHECK(bytes_of(1024, true) == (1023 + 128 + 32) * token);
    CHECK(bytes_of(1024, false) == 8192 * token);
  }

  TEST_CASE(
      "truncate behind what a window dropped is refused, and a cache that forgets nothing can") {
    const at::Tensor x = at::arange(300, at::kFloat).view({1, 300, 1, 1});
    for (const bool forgets : {true, false}) {
      KvCache cache(1, 310, forgets);
      cache.append(0, x, x, 5);
      cache.advance(300);
      if (forgets) {
        CHECK_THROWS_WITH_AS(cache.truncate(120), doctest::Contains("forgets = false"), Error);
        continue;
      }
      cache.truncate(120);
      const at::Tensor one = at::full({1, 1, 1, 1}, -1.0);
      CHECK(at::equal(cache.append(0, one, one, 5).first.flatten(),
                      at::tensor({116.f, 117.f, 118.f, 119.f, -1.f})));
    }
  }

  TEST_CASE("a full cache says so with both numbers") {
    KvCache cache(1, 2);
    const at::Tensor three = at::ones({1, 3, 1, 1});
    CHECK_THROWS_WITH_AS(cache.append(0, three, three), doctest::Contains("got 3 and 2"), Error);
  }
}
