// Mixtral as in transformers: routed sets, logits, loss, gradients, greedy tokens and files.
#include "mortise/torch/ops.hpp"

#include "core/engine/generate/generator.hpp"
#include "tests/model/fixture.hpp"

using namespace mortise;
using namespace mortise::core;
using namespace mortise::test;

namespace {

const std::vector<std::string> kNames = {"mixtral_top2", "mixtral_window"};

std::string folder_of(const std::string& name) {
  return std::string(MORTISE_SOURCE_DIR) + "/tests/golden/mixtral/" + name;
}

/// Keeps what each unit routed.
struct Recorder final : Parallel {
  ParallelPhase phase() const override { return ParallelPhase::Recompute; }

  UnitRunner wrap(int64_t layer, UnitRunner unit) override {
    return [this, layer, unit = std::move(unit)](const BlockInput& in) {
      BlockOutput out = unit(in);
      routes[layer] = out.routes;
      return out;
    };
  }

  std::map<int64_t, at::Tensor> routes;
};

std::vector<int32_t> ints(const Value& array) {
  std::vector<int32_t> out;
  for (const Value& item : array.as_array()) out.push_back(static_cast<int32_t>(item.as_int()));
  return out;
}

/// Mean next-token loss, and the logits it came from.
std::pair<at::Tensor, at::Tensor> loss_and_logits(LanguageModel& model, const at::Tensor& ids_BT) {
  const at::Tensor hidden_BTD = model.forward(plain_batch(ids_BT)).hidden_BTD;
  const at::Tensor logits_BTV = model.head().logits(hidden_BTD);
  const int64_t vocab = logits_BTV.size(2);
  const at::Tensor scores = logits_BTV.narrow(1, 0, ids_BT.size(1) - 1).reshape({-1, vocab});
  return {at::cross_entropy_loss(scores, ids_BT.narrow(1, 1, ids_BT.size(1) - 1).reshape({-1})),
          logits_BTV};
}

}  // namespace

TEST_SUITE("routing.mixtral") {
  TEST_CASE("routed sets equal those of transformers") {
    for (const std::string& name : kNames) {
      CAPTURE(name);
      const auto expected = read_tensors(folder_of(name) + "/expected.safetensors");
      const OpenedModel opened = open_model(folder_of(name), host(), catalog());
      const auto recorder = std::make_shared<Recorder>();
      opened.model->wrap_units(recorder);
      opened.model->train(true);
      opened.model->forward(plain_batch(expected.at("ids")));
      REQUIRE(static_cast<int64_t>(recorder->routes.size()) == opened.model->num_layers());
      for (const auto& [layer, routes_2M] : recorder->routes) {
        const at::Tensor& wanted_NS = expected.at(fmt::format("routes.{}", layer));
        // Ours by (path, item); sorted by item it is by (item, path), as theirs.
        const at::Tensor order = at::argsort(routes_2M[0], /*stable=*/true, 0, false);
        CHECK(routes_2M[1].index_select(0, order).view(wanted_NS.sizes()).equal(wanted_NS));
      }
    }
  }

  TEST_CASE("logits, loss and every gradient equal those of transformers") {
    for (const std::string& name : kNames) {
      CAPTURE(name);
      const auto expected = read_tensors(folder_of(name) + "/expected.safetensors");
      const OpenedModel opened = open_model(folder_of(name), host(), catalog());
      const auto [loss, logits] = loss_and_logits(*opened.model, expected.at("ids"));
      MORTISE_CHECK_CLOSE(logits.detach(), expected.at("logits"), 1e-5, 1e-5);
      MORTISE_CHECK_CLOSE(loss.detach(), expected.at("loss"), 1e-6, 0);
      loss.backward();
      size_t compared = 0;
      for (const NamedTensor& parameter : opened.model->parameters()) {
        CAPTURE(parameter.name);
        const at::Tensor& wanted = expected.at("grad." + parameter.name);
        REQUIRE(parameter.tensor.grad().defined());
        MORTISE_CHECK_CLOSE(
            parameter.tensor.grad(), wanted, 0, 1e-5 * wanted.abs().max().item<double>());
        ++compared;
      }
      const auto layers = static_cast<size_t>(opened.model->num_layers());
      CHECK(compared + 3 + layers == expected.size());  // ids, logits, loss and the routes
    }
  }

  TEST_CASE("sixty-four greedy tokens through the cache equal those of transformers") {
    for (const std::string& name : kNames) {
      CAPTURE(name);
      const Value facts = parse_json(read_file(folder_of(name) + "/expected.json"));
      const OpenedModel opened = open_model(folder_of(name), host(), catalog());
      GenerateOptions options;
      options.max_new_tokens = 64;
      const auto out = generate(*opened.model, {ints(facts.at("greedy").at("prompt"))}, options);
      CHECK((out.at(0).ids == ints(facts.at("greedy").at("tokens"))));
    }
  }

  TEST_CASE("written folders hold every expert by itself, and the same bytes") {
    for (const std::string& name : kNames) {
      CAPTURE(name);
      const OpenedModel opened = open_model(folder_of(name), host(), catalog());
      const auto architecture = make_named<Architecture>("mixtral");
      const auto format = make_named<WeightFormat>("hf_safetensors");
      const testing::TempDir temp;
      save_weights(*opened.model, temp.path, *format, *architecture, opened.spec, at::kFloat);
      const auto written = read_tensors(temp.path + "/model.safetensors"),
                 original = read_tensors(folder_of(name) + "/model.safetensors");
      CHECK(written.size() == original.size());
      for (const auto& [tensor, value] : original) {
        CAPTURE(tensor);
        REQUIRE(written.contains(tensor));
        CHECK(written.at(tensor).equal(value));
      }
      CHECK(open_model(temp.path, host(), catalog()).spec == opened.spec);
    }
  }
}
