// Mixtures and dynamic paths inside a model: recompute, packing, padding, counts.
#include "tests/model/fixture.hpp"

using namespace mortise;
using namespace mortise::core;
using namespace mortise::test;

namespace {

/// One dense layer, then mixtures with that router.
Value moe_spec(const std::string& router) {
  return parse_json(
      R"({"vocab": 40, "width": 16, "max_seq_len": 32, "embedding": {"type": "token"},
    "norm": {"type": "rms_norm", "eps": 1e-5}, "head": {"type": "lm", "tied": true},
    "layer": {"dense": {"type": "prenorm", "attention": {"type": "gqa", "heads": 4}, "ffn": {"type": "swiglu", "hidden": 24}},
              "sparse": {"type": "moe", "order": 2, "repeat": 2, "attention": {"type": "gqa", "heads": 4}, "shared": 1,
                         "router": )" +
      router + R"(, "paths": {"type": "swiglu_experts", "hidden": 12}}}})");
}

constexpr const char* kNoisy =
    R"({"type": "topk", "experts": 6, "k": 2, "noisy": true, "capacity_factor": 0.7, "aux_loss": 0.1, "z_loss": 0.01})";
constexpr const char* kBias =
    R"({"type": "sigmoid_bias", "experts": 8, "k": 2, "groups": 4, "group_limit": 2, "scale": 2.5, "sequence_aux_loss": 0.1})";

Value paths_spec(const std::string& estimator) {
  Value spec = moe_spec(kBias);
  spec["layer"]["sparse"] = parse_json(
      R"({"type": "dynamic_path", "order": 2, "repeat": 2,
          "router": {"type": "learned_path", "estimator": ")" +
      estimator + R"("}, "paths": {"type": "subnets", "paths": {
            "cnn": {"kind": "cnn", "kernel": 3, "norm": {"type": "rms_norm"}},
            "deep": {"kind": "layers", "layer": {"type": "prenorm", "attention": {"type": "gqa", "heads": 4},
                     "ffn": {"type": "swiglu", "hidden": 12}}}}}})");
  return spec;
}

/// Rows of documents of 5 + 3 and 6 tokens, the second with 2 tokens of padding.
TokenBatch packed_batch(bool packed) {
  TokenBatch batch;
  batch.ids_BT = (at::arange(16) * 7 + 3).remainder(40).view({2, 8});
  const at::Tensor first =
      packed ? at::tensor({1, 1, 1, 1, 1, 2, 2, 2}, at::kInt) : at::ones({8}, at::kInt);
  batch.segments_BT = at::stack({first, at::tensor({1, 1, 1, 1, 1, 1, 0, 0}, at::kInt)});
  const at::Tensor place = packed ? at::tensor({0, 1, 2, 3, 4, 0, 1, 2}, at::kLong) : at::arange(8);
  batch.positions_BT = at::stack({place, at::tensor({0, 1, 2, 3, 4, 5, 0, 0}, at::kLong)});
  batch.offsets_S = packed ? at::tensor({0, 5, 8, 14, 15, 16}, at::kLong)
                           : at::tensor({0, 8, 14, 15, 16}, at::kLong);
  return batch;
}

struct Result {
  at::Tensor hidden;
  std::vector<at::Tensor> losses, gradients;
};

Result train_once(const Value& spec, const TokenBatch& batch, bool recompute) {
  const auto model = build_tiny(spec);
  for (NamedTensor& tensor : model->tensors())
    if (tensor.is_buffer) tensor.tensor.copy_(at::linspace(-0.4, 0.3, tensor.tensor.numel()));
  if (recompute) {
    Value config = Value::table();
    config["type"] = "recompute";
    model->wrap_units(std::shared_ptr<Parallel>(
        make<Parallel>(host(), config, ParallelArgs{model->num_layers()})));
  }
  model->train(true);
  at::manual_seed(11);
  const HiddenOutput out = model->forward(batch);
  at::Tensor sum =
      (out.hidden_BTD * at::linspace(-1, 1, out.hidden_BTD.numel()).view(out.hidden_BTD.sizes()))
          .sum();
  Result result{out.hidden_BTD.detach(), {}, {}};
  for (const NamedValue& loss : out.losses) {
    result.losses.push_back(loss.value.detach());
    sum = sum + loss.value;
  }
  sum.backward();
  for (const NamedTensor& parameter : model->parameters())
    result.gradients.push_back(parameter.tensor.grad());
  return result;
}

}  // namespace

TEST_SUITE("routing.model") {
  TEST_CASE("recompute gives the same bits, with noise, dropped tokens and drawn paths") {
    for (const Value& spec : {moe_spec(kNoisy), moe_spec(kBias)}) {
      const Result plain = train_once(spec, packed_batch(true), false),
                   again = train_once(spec, packed_batch(true), true);
      CHECK(again.hidden.equal(plain.hidden));
      REQUIRE(again.losses.size() == plain.losses.size());
      for (size_t i = 0; i < plain.losses.size(); ++i)
        CHECK(again.losses[i].equal(plain.losses[i]));
      for (size_t i = 0; i < plain.gradients.size(); ++i) {
        REQUIRE(plain.gradients[i].defined());
        CHECK(again.gradients[i].equal(plain.gradients[i]));
      }
    }
    const Result plain = train_once(paths_spec("gumbel"), packed_batch(false), false),
                 again = train_once(paths_spec("gumbel"), packed_batch(false), true);
    CHECK(again.hidden.equal(plain.hidden));
    for (size_t i = 0; i < plain.gradients.size(); ++i) {
      REQUIRE(plain.gradients[i].defined() == again.gradients[i].defined());
      if (plain.gradients[i].defined()) CHECK(again.gradients[i].equal(plain.gradients[i]));
    }
  }

  TEST_CASE("packed documents and padding give the hidden states of separate documents") {
    const auto model = build_tiny(moe_spec(kBias));
    const TokenBatch batch = packed_batch(true);
    const at::Tensor together = model->forward(batch).hidden_BTD.view({16, 16});
    const std::vector<std::pair<int64_t, int64_t>> documents = {{0, 5}, {5, 3}, {8, 6}};
    for (const auto& [begin, count] : documents) {
      const at::Tensor ids = batch.ids_BT.view({16}).narrow(0, begin, count).unsqueeze(0);
      MORTISE_CHECK_CLOSE(together.narrow(0, begin, count),
                          model->forward(plain_batch(ids)).hidden_BTD[0],
                          1e-5,
                          1e-5);
    }
  }

  TEST_CASE("each router's counts are of its path, and leave padding out") {
    const auto model = build_tiny(moe_spec(kBias));
    const HiddenOutput out = model->forward(packed_batch(true));
    const auto routers = model->routers();
    REQUIRE(routers.size() == 2);
    REQUIRE(out.counts.size() == 2);
    for (size_t i = 0; i < 2; ++i) {
      CHECK(out.counts[i].name == routers[i].first);
      CHECK(out.counts[i].value.sum().item<int64_t>() == 14 * 2);
    }
    CHECK(routers[0].first == "model.layers.1.mlp.gate");
  }

  TEST_CASE("a model of dynamic paths refuses packed rows before anything is computed of them") {
    const auto model = build_tiny(paths_spec("straight_through"));
    CHECK_NOTHROW(model->forward(packed_batch(false)));
    CHECK_THROWS_WITH_AS(
        model->forward(packed_batch(true)), doctest::Contains("batch.packing = false"), Error);
  }

  TEST_CASE("plan counts parameters on the meta device") {
    BuildContext meta;
    meta.device = at::kMeta;
    const auto model = LanguageModel::build(moe_spec(kBias), host(), meta);
    for (const NamedTensor& tensor : model->tensors()) CHECK(tensor.tensor.is_meta());
  }
}
