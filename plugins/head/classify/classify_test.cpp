#include "classify.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::HeadArgs;
using mortise::head::classify::Classify;

TEST_SUITE("head.classify") {
  TEST_CASE("the scores are a product and a sum, as many as labels and not as tokens") {
    HeadArgs args;
    args.vocab = 50;
    args.width = 3;
    Classify head({.labels = 2, .bias = true}, args);
    REQUIRE(head.parameters().size() == 2);
    head.parameters()[0].tensor.detach().copy_(at::arange(6, at::kFloat).view({2, 3}));
    head.parameters()[1].tensor.detach().copy_(at::tensor({0.5f, -1.f}));
    const at::Tensor scores = head.logits(at::tensor({1.f, 0.f, 2.f}).view({1, 3})).detach();
    CHECK(at::equal(scores, at::tensor({4.5f, 12.f}).view({1, 2})));
    CHECK(head.dense()->weight_VD.is_same(head.parameters()[0].tensor));
    CHECK(head.dense()->bias_V.is_same(head.parameters()[1].tensor));
  }

  TEST_CASE("without a bias there is one matrix") {
    HeadArgs args;
    args.width = 3;
    Classify head({.labels = 1, .bias = false}, args);
    REQUIRE(head.parameters().size() == 1);
    CHECK(head.parameters()[0].tensor.sizes() == at::IntArrayRef({1, 3}));
    CHECK_FALSE(head.dense()->bias_V.defined());
  }
}
