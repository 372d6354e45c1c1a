// Contracts of the blocks that treat each token by itself: norm, ffn, embedding, head; and of
// position.
#include "mortise/torch/embedding.hpp"
#include "mortise/torch/ffn.hpp"
#include "mortise/torch/head.hpp"
#include "mortise/torch/norm.hpp"
#include "mortise/torch/position.hpp"

#include "suites.hpp"
#include "tools.hpp"

namespace mortise::conform {

template <>
NormArgs block_args<Norm>(const BuildContext& build) {
  return {build, kWidth};
}

template <>
FfnArgs block_args<Ffn>(const BuildContext& build) {
  return {build, kWidth};
}

template <>
PositionArgs block_args<Position>(const BuildContext& build) {
  return {build, kHeadDim, kWidth};
}

template <>
EmbeddingArgs block_args<Embedding>(const BuildContext& build) {
  return {build, kVocab, kWidth};
}

template <>
HeadArgs block_args<Head>(const BuildContext& build) {
  return {build,
          kVocab,
          kWidth,
          randn({kVocab, kWidth}, 5, build.dtype).to(build.device),
          "model.embed_tokens.weight"};
}

namespace {

template <class Interface>
void keeps_shape(Factory& f) {
  const auto block = filled<Interface>(f);
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{3, kWidth}, {2, 5, kWidth}, {1, kWidth}}) {
    const at::Tensor out = block->forward(randn(shape, f.seed()));
    MORTISE_EXPECT(out.sizes() == at::IntArrayRef(shape),
                   "the result has another shape than the input");
    expect_finite(out, "the result");
  }
}

template <class Interface>
void tokens_are_alone(Factory& f) {
  const auto block = filled<Interface>(f);
  const at::Tensor x = randn({6, kWidth}, f.seed());
  const at::Tensor whole = block->forward(x);
  for (int64_t token = 0; token < 6; ++token)
    expect_close(block->forward(x.narrow(0, token, 1)),
                 whole.narrow(0, token, 1),
                 1e-5,
                 "a token by itself");
}

template <class Interface>
void gradient(Factory& f) {
  BuildContext build;
  build.dtype = at::kDouble;
  const auto block = filled<Interface>(f, build);
  expect_gradient([&](const at::Tensor& x) { return block->forward(x); },
                  randn({3, kWidth}, f.seed(), at::kDouble),
                  "forward");
}

template <class Interface>
void trains_all(Factory& f) {
  const auto block = filled<Interface>(f);
  block->forward(randn({4, kWidth}, f.seed())).square().sum().backward();
  for (const NamedTensor& named : block->parameters())
    MORTISE_EXPECT(named.tensor.grad().defined(), "no gradient reaches {}", named.name);
}

void norm_extremes(Factory& f) {
  const auto norm = filled<Norm>(f);
  expect_finite(norm->forward(at::zeros({2, kWidth})), "the norm of zeros");
  expect_finite(norm->forward(at::full({2, kWidth}, 1e4)), "the norm of large numbers");
  BuildContext build;
  build.dtype = at::kBFloat16;
  const at::Tensor small =
      filled<Norm>(f, build)->forward(randn({2, kWidth}, f.seed(), at::kBFloat16));
  MORTISE_EXPECT(small.scalar_type() == at::kBFloat16,
                 "a bf16 norm of a bf16 input gives another dtype");
  expect_finite(small, "a bf16 norm");
  // run.precision: the norm is in fp32, the stream is not.
  const at::Tensor x = randn({2, kWidth}, f.seed(), at::kBFloat16);
  const at::Tensor mixed = norm->forward(x);
  MORTISE_EXPECT(mixed.scalar_type() == at::kBFloat16,
                 "an fp32 norm of a bf16 input gives another dtype than came (see "
                 "mortise/torch/precision.hpp)");
  expect_close(mixed.to(at::kFloat), norm->forward(x.to(at::kFloat)), 1e-2, "an fp32 norm of bf16");
}

/// A norm that adds gives what the sum and forward() give, to the bits; gradients reach both parts.
void norm_adds(Factory& f) {
  const auto norm = filled<Norm>(f);
  auto* joined = query<ext::AddNorm>(*norm);
  if (joined == nullptr) return;
  const at::Tensor x = randn({2, 5, kWidth}, f.seed()).set_requires_grad(true),
                   part = randn({2, 5, kWidth}, f.seed() + 1).set_requires_grad(true);
  const auto [sum, normed] = joined->add_forward(x, part);
  expect_equal_bits(sum, x + part, "the sum of add_forward");
  expect_equal_bits(normed, norm->forward(x + part), "the norm of add_forward");
  const auto gradient = [&](const at::Tensor& total, const at::Tensor& of_total) {
    x.mutable_grad() = part.mutable_grad() = at::Tensor();
    (total.square() + of_total.square()).sum().backward();
    expect_equal_bits(x.grad(), part.grad(), "the gradients of both parts");
    return x.grad();
  };
  const at::Tensor got = gradient(sum, normed), total = x + part;
  expect_close(got, gradient(total, norm->forward(total)), 1e-4, "the gradient of add_forward");
}

void embedding_rows(Factory& f) {
  const auto embedding = filled<Embedding>(f);
  MORTISE_EXPECT(embedding->weight().size(0) == kVocab && embedding->weight().size(1) == kWidth,
                 "weight() is not [vocab, width]");
  const at::Tensor ids = at::tensor({3, 7, 3, 0}, at::kLong).view({2, 2}),
                   positions = at::zeros({2, 2}, at::kLong);
  const at::Tensor x = embedding->forward(ids, positions);
  MORTISE_EXPECT(x.dim() == 3 && x.size(0) == 2 && x.size(1) == 2 && x.size(2) == kWidth,
                 "the result is not [rows, tokens, width]");
  expect_equal_bits(x[0][0], x[1][0], "the same id at the same position");
  x.sum().backward();
  for (const NamedTensor& named : embedding->parameters())
    MORTISE_EXPECT(named.tensor.grad().defined(), "no gradient reaches {}", named.name);
}

void head_scores(Factory& f) {
  const auto head = filled<Head>(f);
  const at::Tensor hidden = randn({6, kWidth}, f.seed());
  const at::Tensor logits = head->logits(hidden);
  MORTISE_EXPECT(logits.dim() == 2 && logits.size(0) == 6 && logits.size(1) == kVocab,
                 "the logits are not [tokens, vocab]");
  expect_close(
      at::cat({head->logits(hidden.narrow(0, 0, 2)), head->logits(hidden.narrow(0, 2, 4))}),
      logits,
      1e-5,
      "logits by chunks");
  if (const auto dense = head->dense()) {
    at::Tensor product = at::matmul(hidden, dense->weight_VD.t());
    if (dense->bias_V.defined()) product = product + dense->bias_V;
    expect_close(product, logits, 1e-5, "dense() against logits()");
  }
}

void position_turns(Factory& f) {
  const auto position = filled<Position>(f);
  const at::Tensor q = randn({2, 5, 4, kHeadDim}, f.seed()),
                   k = randn({2, 5, 2, kHeadDim}, f.seed() + 1);
  const at::Tensor positions = at::arange(5).unsqueeze(0).expand({2, 5}).contiguous();
  const auto [q_out, k_out] = position->rotate(q.clone(), k.clone(), positions);
  MORTISE_EXPECT(q_out.sizes() == q.sizes() && k_out.sizes() == k.sizes(),
                 "queries or keys change their shape");
  expect_finite(q_out, "queries");
  for (const int64_t token : {0, 2, 4}) {
    const auto alone = position->rotate(q.narrow(1, token, 1).clone(),
                                        k.narrow(1, token, 1).clone(),
                                        positions.narrow(1, token, 1).contiguous());
    expect_close(alone.first, q_out.narrow(1, token, 1), 1e-5, "a query by itself");
    expect_close(alone.second, k_out.narrow(1, token, 1), 1e-5, "a key by itself");
  }
}

void position_embeds(Factory& f) {
  const auto position = filled<Position>(f);
  const at::Tensor x = randn({2, 5, kWidth}, f.seed());
  const at::Tensor positions = at::arange(5).unsqueeze(0).expand({2, 5}).contiguous();
  const at::Tensor out = position->embed(x.clone(), positions);
  MORTISE_EXPECT(out.sizes() == x.sizes(), "embeddings change their shape");
  expect_finite(out, "embeddings");
  for (const int64_t token : {0, 2, 4})
    expect_close(
        position->embed(x.narrow(1, token, 1).clone(), positions.narrow(1, token, 1).contiguous()),
        out.narrow(1, token, 1),
        1e-5,
        "an embedding by itself");
}

void position_far(Factory& f) {
  const auto position = filled<Position>(f);
  const at::Tensor q = randn({1, 1, 1, kHeadDim}, f.seed());
  for (const int64_t at : {0, 1, 4095, 100000})
    expect_finite(position->rotate(q.clone(), q.clone(), at::full({1, 1}, at, at::kLong)).first,
                  fmt::format("position {}", at));
}

}  // namespace

Suite norm_suite() {
  return {"norm",
          example_block_args<Norm>,
          with_block_checks<Norm>({{"keeps the shape", keeps_shape<Norm>},
                                   {"treats each token by itself", tokens_are_alone<Norm>},
                                   {"its gradient is right", gradient<Norm>},
                                   {"a gradient reaches every parameter", trains_all<Norm>},
                                   {"is finite for zeros, large numbers and bf16", norm_extremes},
                                   {"adds before it normalises as two steps do", norm_adds}})};
}

Suite ffn_suite() {
  return {"ffn",
          example_block_args<Ffn>,
          with_block_checks<Ffn>({{"keeps the shape", keeps_shape<Ffn>},
                                  {"treats each token by itself", tokens_are_alone<Ffn>},
                                  {"its gradient is right", gradient<Ffn>},
                                  {"a gradient reaches every parameter", trains_all<Ffn>}})};
}

Suite embedding_suite() {
  return {"embedding",
          example_block_args<Embedding>,
          with_block_checks<Embedding>({{"gives every id its row", embedding_rows}})};
}

Suite head_suite() {
  return {
      "head",
      example_block_args<Head>,
      with_block_checks<Head>({{"scores by chunks as at once, and as dense() says", head_scores}})};
}

Suite position_suite() {
  return {"position",
          example_block_args<Position>,
          with_block_checks<Position>({{"turns each token by its own position", position_turns},
                                       {"embeds each token by its own position", position_embeds},
                                       {"is finite at far positions", position_far}})};
}

}  // namespace mortise::conform
