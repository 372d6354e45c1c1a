#include "mixtral.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"

using mortise::TensorRule;
using mortise::Value;
using mortise::architecture::mixtral::Mixtral;

namespace {

constexpr const char* kSmall =
    R"({"model_type": "mixtral", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
  "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 3,
  "num_experts_per_tok": 2, "rope_theta": 500.0, "router_aux_loss_coef": 0.02})";

Value small() { return mortise::parse_json(kSmall); }

Value golden(const std::string& name) {
  return mortise::parse_json(mortise::read_file(std::string(MORTISE_SOURCE_DIR) +
                                                "/tests/golden/mixtral/" + name + "/config.json"));
}

}  // namespace

TEST_SUITE("architecture.mixtral") {
  TEST_CASE("a specification survives the way through config.json") {
    const Mixtral mixtral;
    for (const char* name : {"mixtral_top2", "mixtral_window"}) {
      CAPTURE(name);
      const Value config = golden(name);
      REQUIRE(mixtral.recognises(config));
      const Value spec = mixtral.to_spec(config);
      const Value written = mixtral.to_hf(spec);
      CHECK(mixtral.to_spec(written) == spec);
      CHECK(mixtral.to_hf(mixtral.to_spec(written)) == written);
    }
  }

  TEST_CASE("router and experts follow config.json") {
    const Value spec = Mixtral().to_spec(small());
    const Value& layer = spec.at("layer").at("sparse");
    CHECK(layer.at("type").as_string() == "moe");
    CHECK(layer.at("router").at("experts").as_int() == 3);
    CHECK(layer.at("router").at("k").as_int() == 2);
    CHECK(layer.at("router").at("aux_loss").as_float() == 0.02);
    CHECK(layer.at("paths").at("hidden").as_int() == 12);
  }

  TEST_CASE("absent keys take the defaults of transformers") {
    Value config = small();
    for (const char* key :
         {"rope_theta", "num_key_value_heads", "num_local_experts", "router_aux_loss_coef"})
      config.erase(key);
    const Value spec = Mixtral().to_spec(config);
    const Value& layer = spec.at("layer").at("sparse");
    CHECK(layer.at("attention").at("position").at("theta").as_float() == 1e6);
    CHECK(layer.at("attention").at("kv_heads").as_int() == 8);
    CHECK(layer.at("router").at("experts").as_int() == 8);
    CHECK(layer.at("router").at("aux_loss").as_float() == 0.001);
    CHECK(spec.at("norm").at("eps").as_float() == 1e-5);
  }

  TEST_CASE("experts are stacked in their order") {
    const auto rules = Mixtral().names(Mixtral().to_spec(small()));
    const auto found = std::find_if(rules.begin(), rules.end(), [](const TensorRule& rule) {
      return rule.ours == "model.layers.1.mlp.experts.up_proj.weight";
    });
    REQUIRE((found != rules.end()));
    CHECK((found->op == TensorRule::Op::Stack));
    REQUIRE(found->theirs.size() == 3);
    CHECK(found->theirs[2] == "model.layers.1.block_sparse_moe.experts.2.w3.weight");
  }

  TEST_CASE("what Mixtral cannot express is refused by its path") {
    const Mixtral mixtral;
    const Value good = mixtral.to_spec(small());
    const auto refused = [&](const auto& change, const char* path) {
      Value spec = good;
      change(spec["layer"]["sparse"]);
      CHECK_THROWS_WITH_AS(mixtral.to_hf(spec), doctest::Contains(path), mortise::Error);
    };
    refused([](Value& layer) { layer["shared"] = 1; }, "model.layer.*.shared");
    refused([](Value& layer) { layer["router"]["type"] = "sigmoid_bias"; }, "router.type");
    refused([](Value& layer) { layer["router"]["renormalise"] = false; }, "router.renormalise");
    refused([](Value& layer) { layer["router"]["capacity_factor"] = 1.5; }, "capacity_factor");
    refused([](Value& layer) { layer["attention"]["bias"] = true; }, "attention.bias");
    Value learned = good;
    learned["embedding"]["position"]["type"] = "learned";
    CHECK_THROWS_WITH_AS(
        mixtral.to_hf(learned), doctest::Contains("model.embedding.position"), mortise::Error);
    Value dense = good;
    dense["layer"]["first"] = good.at("layer").at("sparse");
    dense["layer"]["first"]["type"] = "prenorm";
    CHECK_THROWS_WITH_AS(mixtral.to_hf(dense), doctest::Contains("`type`"), mortise::Error);
  }

  TEST_CASE("a key that cannot be honoured is refused by name") {
    Value config = small();
    config["hidden_act"] = "gelu";
    CHECK_THROWS_WITH_AS(
        Mixtral().to_spec(config), doctest::Contains("hidden_act"), mortise::DataError);
    CHECK_FALSE(Mixtral().recognises(mortise::parse_json(R"({"model_type": "llama"})")));
  }
}
