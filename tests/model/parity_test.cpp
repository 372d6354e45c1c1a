// The same numbers as transformers: logits, loss, gradients and greedy tokens of the golden models.
#include <set>

#include "mortise/torch/ops.hpp"
#include "mortise/torch/tensor_rules.hpp"

#include "core/engine/generate/generator.hpp"
#include "core/engine/generate/score.hpp"
#include "tests/model/fixture.hpp"

using namespace mortise;
using namespace mortise::core;
using namespace mortise::test;

namespace {

/// Mean next-token loss over all shifted targets, by the fused cross-entropy.
at::Tensor loss_of(LanguageModel& model, const at::Tensor& ids_BT) {
  const at::Tensor hidden_BTD = model.forward(plain_batch(ids_BT)).hidden_BTD;
  const int64_t targets = ids_BT.size(0) * (ids_BT.size(1) - 1);
  const at::Tensor hidden_ND =
      hidden_BTD.narrow(1, 0, ids_BT.size(1) - 1).reshape({targets, model.width()});
  const at::Tensor targets_N = ids_BT.narrow(1, 1, ids_BT.size(1) - 1).reshape({targets});
  const Head::Dense dense = model.head().dense().value();
  return ops::chunked_cross_entropy(hidden_ND, dense.weight_VD, dense.bias_V, targets_N, {}, {})
             .first /
         static_cast<double>(targets);
}

std::vector<int32_t> ints(const Value& array) {
  std::vector<int32_t> out;
  for (const Value& item : array.as_array()) out.push_back(static_cast<int32_t>(item.as_int()));
  return out;
}

/// Logits of all tokens, computed in chunks of uneven size through a cache.
at::Tensor cached_logits(LanguageModel& model, const at::Tensor& ids_BT) {
  KvCache cache(model.num_layers(), ids_BT.size(1));
  std::vector<at::Tensor> parts;
  for (const int64_t wanted : {3, 1, 4, 1, 1, 100}) {
    const int64_t count = std::min(wanted, ids_BT.size(1) - cache.length());
    if (count == 0) break;
    TokenBatch batch = plain_batch(ids_BT.narrow(1, cache.length(), count));
    batch.positions_BT = batch.positions_BT + cache.length();
    batch.cache = &cache;
    parts.push_back(model.forward(batch).hidden_BTD);
  }
  CHECK(cache.length() == ids_BT.size(1));
  return model.head().logits(at::cat(parts, 1));
}

Value facts_of(const std::string& name) {
  return parse_json(read_file(golden_folder(name) + "/expected.json"));
}

/// A gradient of a golden in our layout, and the largest entry of the tensor on disk that it came
/// from: the key third of a fused bias has no gradient but noise where nothing is rotated.
struct Gradient {
  at::Tensor value;
  double largest = 0;
};

/// The gradients of a golden under our names: they take the way of the weights.
std::map<std::string, Gradient> gradients_of(const std::string& name,
                                             const std::map<std::string, at::Tensor>& expected) {
  const ForeignModel foreign = read_foreign_model(golden_folder(name), host(), catalog());
  const std::string prefix = foreign.architecture->optional_prefix();
  std::map<std::string, Gradient> gradients;
  std::set<std::string> used;
  for (const TensorRule& rule : foreign.architecture->names(foreign.spec)) {
    std::vector<at::Tensor> theirs;
    double largest = 0;
    for (std::string file_name : rule.theirs) {
      if (!expected.contains("grad." + file_name)) file_name.erase(0, prefix.size());
      theirs.push_back(expected.at("grad." + file_name));
      largest = std::max(largest, theirs.back().abs().max().item<double>());
      used.insert(file_name);
    }
    gradients.emplace(rule.ours, Gradient{ours_from(rule, theirs), largest});
  }
  CHECK(used.size() + 3 == expected.size());  // ids, logits and loss are the rest
  return gradients;
}

}  // namespace

TEST_SUITE("model.parity") {
  TEST_CASE("logits equal those of transformers") {
    for (const std::string& name : golden_names()) {
      CAPTURE(name);
      const auto expected = expected_of(name);
      const OpenedModel opened = open_golden(name);
      const c10::InferenceMode inference;
      const at::Tensor hidden = opened.model->forward(plain_batch(expected.at("ids"))).hidden_BTD;
      MORTISE_CHECK_CLOSE(opened.model->head().logits(hidden), expected.at("logits"), 1e-5, 1e-5);
    }
  }

  TEST_CASE("loss and every gradient equal those of transformers") {
    for (const std::string& name : golden_names()) {
      CAPTURE(name);
      const auto expected = expected_of(name);
      const OpenedModel opened = open_golden(name);
      const at::Tensor loss = loss_of(*opened.model, expected.at("ids"));
      MORTISE_CHECK_CLOSE(loss, expected.at("loss"), 1e-6, 0);
      loss.backward();
      const auto gradients = gradients_of(name, expected);
      CHECK(gradients.size() == opened.model->parameters().size());
      for (const NamedTensor& parameter : opened.model->parameters()) {
        CAPTURE(parameter.name);
        const Gradient& wanted = gradients.at(parameter.name);
        REQUIRE(parameter.tensor.grad().defined());
        MORTISE_CHECK_CLOSE(parameter.tensor.grad(), wanted.value, 0, 1e-5 * wanted.largest);
      }
    }
  }

  TEST_CASE("sixty-four greedy tokens through the cache equal those of transformers") {
    for (const std::string& name : golden_names()) {
      CAPTURE(name);
      const Value facts = facts_of(name);
      const OpenedModel opened = open_golden(name);
      GenerateOptions options;
      options.max_new_tokens = 64;
      const auto out = generate(*opened.model, {ints(facts.at("greedy").at("prompt"))}, options);
      CHECK((out.at(0).ids == ints(facts.at("greedy").at("tokens"))));
    }
  }

  // Another number of rows makes the matrix products add in another order, so fp32 can only agree
  // to rounding: 3e-6 of the largest logit (how much depends on the processor).  That nothing but
  // rounding differs is what the same comparison in fp64 shows.
  TEST_CASE("a cached forward equals an uncached one, in chunks and token by token") {
    const c10::InferenceMode inference;
    for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
      for (const std::string& name : golden_names()) {
        CAPTURE(name);
        // Dynamic scaling turns cached keys by the length that the text had then.
        if (!facts_of(name).get("cached_equals_uncached", true)) continue;
        const OpenedModel opened = open_model(golden_folder(name), host(), catalog(), dtype);
        const at::Tensor ids_BT = expected_of(name).at("ids");
        const at::Tensor whole =
            opened.model->head().logits(opened.model->forward(plain_batch(ids_BT)).hidden_BTD);
        const at::Tensor parts = cached_logits(*opened.model, ids_BT);
        const double tolerance = dtype == at::kDouble ? 1e-12 : 3e-6;
        MORTISE_CHECK_CLOSE(parts, whole, 0, tolerance * whole.abs().max().item<double>());
      }
    }
  }

  // Qwen2 slides from its second layer on; GPT-2 has its positions in the embedding.
  TEST_CASE("packed documents of a golden give its logits") {
    const c10::InferenceMode inference;
    for (const char* name : {"mistral", "qwen2", "gpt2", "gpt_neox", "llama_yarn"}) {
      CAPTURE(name);
      const auto expected = expected_of(name);
      const OpenedModel opened = open_golden(name);
      const at::Tensor ids_BT = expected.at("ids");
      const int64_t rows = ids_BT.size(0), tokens = ids_BT.size(1);
      TokenBatch packed;  // both texts in one row
      packed.ids_BT = ids_BT.reshape({1, rows * tokens});
      packed.positions_BT = at::arange(tokens, at::kLong).repeat({1, rows});
      packed.offsets_S = at::arange(0, rows * tokens + 1, tokens, at::kLong);
      packed.segments_BT = packed.offsets_S.slice(0, 0, rows)
                               .div(tokens, "floor")
                               .add(1)
                               .repeat_interleave(tokens)
                               .to(at::kInt)
                               .unsqueeze(0);
      const at::Tensor logits =
          opened.model->head().logits(opened.model->forward(packed).hidden_BTD);
      MORTISE_CHECK_CLOSE(
          logits.view(expected.at("logits").sizes()), expected.at("logits"), 1e-5, 1e-5);
    }
  }

  TEST_CASE("token log-probabilities add up to the loss") {
    const auto expected = expected_of("gqa_head_dim");
    const OpenedModel opened = open_golden("gqa_head_dim");
    double sum = 0;
    int64_t count = 0;
    for (int64_t row = 0; row < expected.at("ids").size(0); ++row) {
      const at::Tensor ids = expected.at("ids")[row].to(at::kInt).contiguous();
      const std::vector<int32_t> list(ids.const_data_ptr<int32_t>(),
                                      ids.const_data_ptr<int32_t>() + ids.numel());
      const Score score = score_of(all_logits(*opened.model, list), list);
      sum += score.sum;
      count += static_cast<int64_t>(score.log_probs.size());
    }
    CHECK(-sum / static_cast<double>(count) ==
          doctest::Approx(expected.at("loss").item<double>()).epsilon(1e-6));
  }
}

TEST_SUITE("model.packing") {
  TEST_CASE("packed documents give the hidden states and gradients of separate ones") {
    const auto model = build_tiny(tiny_spec());
    const std::vector<int64_t> lengths = {5, 1, 6, 4};  // two rows of six and … 16 tokens as 2 × 8
    const at::Tensor ids = (at::arange(16, at::kLong) * 7 + 3).remainder(40);
    TokenBatch packed;
    packed.ids_BT = ids.view({2, 8});
    packed.offsets_S = at::tensor({0, 5, 8, 12, 16}, at::kLong);
    packed.positions_BT =
        at::tensor({0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3}, at::kLong).view({2, 8});
    packed.segments_BT =
        at::tensor({1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 2, 2, 2, 2}, at::kInt).view({2, 8});
    const at::Tensor weights = at::linspace(-1, 1, 16 * 16).view({16, 16});

    const at::Tensor together = model->forward(packed).hidden_BTD.view({16, 16});
    (together * weights).sum().backward();
    std::map<std::string, at::Tensor> gradients;
    for (NamedTensor& parameter : model->parameters()) {
      gradients[parameter.name] = parameter.tensor.grad().clone();
      parameter.tensor.mutable_grad() = at::Tensor();
    }
    at::Tensor total = at::zeros({});
    const std::vector<int64_t> borders = {0, 5, 8, 12, 16};
    for (size_t i = 0; i + 1 < borders.size(); ++i) {
      const int64_t begin = borders[i], count = borders[i + 1] - begin;
      const at::Tensor alone =
          model->forward(plain_batch(ids.narrow(0, begin, count).unsqueeze(0))).hidden_BTD[0];
      MORTISE_CHECK_CLOSE(together.narrow(0, begin, count), alone, 1e-5, 1e-5);
      total = total + (alone * weights.narrow(0, begin, count)).sum();
    }
    total.backward();
    for (const NamedTensor& parameter : model->parameters()) {
      CAPTURE(parameter.name);
      const at::Tensor& wanted = parameter.tensor.grad();
      MORTISE_CHECK_CLOSE(
          gradients.at(parameter.name), wanted, 0, 1e-5 * wanted.abs().max().item<double>());
    }
  }
}
