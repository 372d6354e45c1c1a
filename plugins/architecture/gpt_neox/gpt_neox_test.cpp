#include "gpt_neox.hpp"

#include <map>
#include <string>

#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"

using mortise::TensorRule;
using mortise::Value;
using mortise::architecture::gpt_neox::GptNeox;

namespace {

Value small() {
  return mortise::parse_json(R"({"model_type": "gpt_neox", "vocab_size": 11, "hidden_size": 12,
    "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20,
    "max_position_embeddings": 32, "rotary_pct": 0.5, "rotary_emb_base": 500})");
}

std::map<std::string, TensorRule> rules_of(const Value& config) {
  std::map<std::string, TensorRule> rules;
  for (TensorRule& rule : GptNeox().names(GptNeox().to_spec(config))) rules[rule.ours] = rule;
  return rules;
}

const Value& position_of(const Value& spec) {
  return spec.at("layer").at("dense").at("attention").at("position");
}

}  // namespace

TEST_SUITE("architecture.gpt_neox") {
  TEST_CASE("both dialects of rope give the same specification") {
    const GptNeox neox;
    Value v5 = small();
    v5.erase("rotary_pct");
    v5.erase("rotary_emb_base");
    v5["rope_parameters"] = mortise::parse_json(
        R"({"rope_type": "default", "rope_theta": 500, "partial_rotary_factor": 0.5})");
    const Value spec = neox.to_spec(small());
    CHECK(neox.to_spec(v5) == spec);
    CHECK(position_of(spec).at("fraction").as_float() == 0.5);
    CHECK(position_of(spec).at("theta").as_float() == 500);
  }

  TEST_CASE("absent keys take the defaults of the library") {
    Value config = small();
    config.erase("rotary_pct");
    const Value spec = GptNeox().to_spec(config);
    const Value& layer = spec.at("layer").at("dense");
    CHECK(position_of(spec).at("fraction").as_float() == 0.25);
    CHECK(layer.at("type").as_string() == "parallel");
    CHECK(layer.at("attention").at("bias").as_bool());
    CHECK(layer.at("attention").at("output_bias").as_bool());
    CHECK(layer.at("ffn").at("form").as_string() == "exact");
    CHECK_FALSE(spec.at("head").at("tied").as_bool());
  }

  TEST_CASE("a specification survives the way through config.json") {
    const GptNeox neox;
    Value config = small();
    SUBCASE("parallel") {}
    SUBCASE("sequential, tied, without biases, with scaling") {
      config["use_parallel_residual"] = false;
      config["tie_word_embeddings"] = true;
      config["attention_bias"] = false;
      config["hidden_act"] = "gelu_fast";
      config["rope_scaling"] = mortise::parse_json(R"({"type": "linear", "factor": 2.0})");
    }
    const Value spec = neox.to_spec(config);
    CHECK(neox.to_spec(neox.to_hf(spec)) == spec);
  }

  TEST_CASE("each part takes every third block of the fused projection") {
    const auto rules = rules_of(small());
    const TensorRule& key = rules.at("model.layers.1.self_attn.k_proj.weight");
    CHECK((key.op == TensorRule::Op::Slice));
    CHECK(key.theirs.at(0) == "gpt_neox.layers.1.attention.query_key_value.weight");
    CHECK((key.view == std::vector<int64_t>{3, 3, 4, 12}));
    CHECK(key.dim == 1);
    CHECK(key.begin == 1);
    CHECK((key.shape == std::vector<int64_t>{12, 12}));
    CHECK((key.stored == std::vector<int64_t>{36, 12}));
    const TensorRule& bias = rules.at("model.layers.1.self_attn.v_proj.bias");
    CHECK((bias.view == std::vector<int64_t>{3, 3, 4}));
    CHECK((bias.stored == std::vector<int64_t>{36}));
    CHECK(rules.at("lm_head.weight").theirs.at(0) == "embed_out.weight");
  }

  TEST_CASE("biases of the attention follow the config") {
    Value config = small();
    config["attention_bias"] = false;
    const auto rules = rules_of(config);
    CHECK(rules.count("model.layers.0.self_attn.q_proj.bias") == 0);
    CHECK(rules.count("model.layers.0.self_attn.o_proj.bias") == 0);
    CHECK(rules.count("model.layers.0.mlp.up_proj.bias") == 1);
  }

  TEST_CASE("a key that cannot be honoured is refused by name") {
    const std::pair<std::string_view, Value> cases[] = {{"hidden_act", "relu"},
                                                        {"num_attention_heads", 5},
                                                        {"quantization_config", Value::table()}};
    for (const auto& [key, value] : cases) {
      CAPTURE(key);
      Value config = small();
      config[key] = value;
      CHECK_THROWS_WITH_AS(GptNeox().to_spec(config),
                           doctest::Contains(std::string(key).c_str()),
                           mortise::DataError);
    }
  }

  TEST_CASE("what GPT-NeoX cannot express is refused by its path") {
    const GptNeox neox;
    const auto refused = [&](const char* part, const auto& change) {
      Value spec = neox.to_spec(small());
      change(spec["layer"]["dense"]);
      CHECK_THROWS_WITH_AS(neox.to_hf(spec), doctest::Contains(part), mortise::Error);
    };
    refused("attention.kv_heads: got 1", [](Value& l) { l["attention"]["kv_heads"] = 1; });
    refused("attention.sliding_window: got one",
            [](Value& l) { l["attention"]["sliding_window"] = 4; });
    refused("attention.output_bias", [](Value& l) { l["attention"]["bias"] = false; });
    refused("shared_norm: got true", [](Value& l) { l["shared_norm"] = true; });
    refused("ffn.type: got \"swiglu\"", [](Value& l) { l["ffn"]["type"] = "swiglu"; });
  }
}
