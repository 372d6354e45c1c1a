#include "token.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::EmbeddingArgs;
using mortise::embedding::token::Token;

TEST_SUITE("embedding.token") {
  TEST_CASE("looks rows up and sums the gradients of repeated ids") {
    EmbeddingArgs args;
    args.vocab = 3;
    args.width = 2;
    Token embedding(args);
    embedding.weight().detach().copy_(at::arange(6, at::kFloat).view({3, 2}));
    const at::Tensor ids = at::tensor({2, 0, 2}, at::kLong).view({1, 3});
    const at::Tensor x = embedding.forward(ids, at::Tensor());
    CHECK(at::equal(x.detach(), at::tensor({4.f, 5.f, 0.f, 1.f, 4.f, 5.f}).view({1, 3, 2})));
    x.sum().backward();
    CHECK(at::equal(embedding.weight().grad(),
                    at::tensor({1.f, 1.f, 0.f, 0.f, 2.f, 2.f}).view({3, 2})));
  }
}
