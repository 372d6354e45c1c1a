#include "lm.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::HeadArgs;
using mortise::head::lm::Lm;

TEST_SUITE("head.lm") {
  TEST_CASE("an untied head owns its matrix") {
    HeadArgs args;
    args.vocab = 2;
    args.width = 3;
    Lm head({.tied = false}, args);
    REQUIRE(head.parameters().size() == 1);
    CHECK(head.ties().empty());
    head.parameters()[0].tensor.detach().copy_(at::arange(6, at::kFloat).view({2, 3}));
    const at::Tensor logits = head.logits(at::tensor({1.f, 0.f, 2.f}).view({1, 3})).detach();
    CHECK(at::equal(logits, at::tensor({4.f, 13.f}).view({1, 2})));
    CHECK(head.dense()->weight_VD.is_same(head.parameters()[0].tensor));
  }

  TEST_CASE("a tied head owns nothing and names the owner") {
    HeadArgs args;
    args.vocab = 2;
    args.width = 3;
    args.embedding_VD = at::ones({2, 3});
    args.embedding_path = "model.embed_tokens.weight";
    const Lm head({.tied = true}, args);
    CHECK(head.parameters().empty());
    REQUIRE(head.ties().size() == 1);
    CHECK(head.ties()[0].first == "weight");
    CHECK(head.ties()[0].second == "model.embed_tokens.weight");
    CHECK(head.dense()->weight_VD.is_same(args.embedding_VD));
  }

  TEST_CASE("a tied head refuses an embedding of another width") {
    HeadArgs args;
    args.vocab = 2;
    args.width = 3;
    args.embedding_VD = at::ones({2, 4});
    CHECK_THROWS_WITH_AS(Lm({.tied = true}, args), doctest::Contains("2 × 3"), mortise::Error);
  }
}
