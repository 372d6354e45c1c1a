#include "token.hpp"

#include <ATen/ATen.h>
#include <doctest/doctest.h>

using mortise::EmbeddingArgs;
using mortise::Use;
using mortise::Value;
using mortise::embedding::token::Token;

namespace {

/// Adds ten times the position.
struct TenTimes final : mortise::Position {
  at::Tensor embed(const at::Tensor& x_BTD, const at::Tensor& positions_BT) override {
    return x_BTD + 10 * positions_BT.unsqueeze(-1);
  }
};

struct FakeHost final : mortise::Host {
  void* make(std::string_view, const Value&, const void* args) override {
    width = static_cast<const mortise::PositionArgs*>(args)->width;
    return static_cast<mortise::Position*>(new TenTimes);
  }

  int64_t width = 0;
};

}  // namespace

TEST_SUITE("embedding.token") {
  TEST_CASE("looks rows up and sums the gradients of repeated ids") {
    EmbeddingArgs args;
    args.vocab = 3;
    args.width = 2;
    Token embedding({}, args);
    embedding.weight().detach().copy_(at::arange(6, at::kFloat).view({3, 2}));
    const at::Tensor ids = at::tensor({2, 0, 2}, at::kLong).view({1, 3});
    const at::Tensor x = embedding.forward(ids, at::Tensor());
    CHECK(at::equal(x.detach(), at::tensor({4.f, 5.f, 0.f, 1.f, 4.f, 5.f}).view({1, 3, 2})));
    x.sum().backward();
    CHECK(at::equal(embedding.weight().grad(),
                    at::tensor({1.f, 1.f, 0.f, 0.f, 2.f, 2.f}).view({3, 2})));
  }

  TEST_CASE("a position is added to the vectors") {
    FakeHost host;
    Value table = Value::table();
    table["type"] = "fake";
    EmbeddingArgs args;
    args.vocab = 3;
    args.width = 2;
    Token embedding({Use<mortise::Position>(table, &host)}, args);
    CHECK(host.width == 2);
    embedding.weight().detach().copy_(at::arange(6, at::kFloat).view({3, 2}));
    const at::Tensor x = embedding.forward(at::tensor({2, 0}, at::kLong).view({1, 2}),
                                           at::tensor({0, 1}, at::kLong).view({1, 2}));
    CHECK(at::equal(x.detach(), at::tensor({4.f, 5.f, 10.f, 11.f}).view({1, 2, 2})));
  }
}
