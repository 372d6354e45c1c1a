#include "gpt2.hpp"

#include <map>
#include <string>

#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"

using mortise::TensorRule;
using mortise::Value;
using mortise::architecture::gpt2::Gpt2;

namespace {

Value small() {
  return mortise::parse_json(R"({"model_type": "gpt2", "vocab_size": 11, "n_embd": 8, "n_layer": 2,
    "n_head": 2, "n_positions": 16, "layer_norm_epsilon": 1e-4})");
}

std::map<std::string, TensorRule> rules_of(const Value& config) {
  std::map<std::string, TensorRule> rules;
  for (TensorRule& rule : Gpt2().names(Gpt2().to_spec(config))) rules[rule.ours] = rule;
  return rules;
}

}  // namespace

TEST_SUITE("architecture.gpt2") {
  TEST_CASE("absent keys take the defaults of the library") {
    const Value spec = Gpt2().to_spec(small());
    const Value& layer = spec.at("layer").at("dense");
    CHECK(layer.at("ffn").at("hidden").as_int() == 32);
    CHECK(layer.at("ffn").at("form").as_string() == "tanh");
    CHECK(layer.at("attention").at("position").at("type").as_string() == "none");
    CHECK(spec.at("head").at("tied").as_bool());
    CHECK(spec.at("max_seq_len").as_int() == 16);
    CHECK(spec.at("embedding").at("position").at("max_positions").as_int() == 16);
    CHECK(spec.at("norm").at("eps").as_float() == 1e-4);
  }

  TEST_CASE("a specification survives the way through config.json") {
    const Gpt2 gpt2;
    Value config = small();
    SUBCASE("defaults") {}
    SUBCASE("untied, exact, another inner width") {
      config["tie_word_embeddings"] = false;
      config["activation_function"] = "gelu";
      config["n_inner"] = 20;
    }
    const Value spec = gpt2.to_spec(config);
    CHECK(gpt2.to_spec(gpt2.to_hf(spec)) == spec);
  }

  TEST_CASE("the fused projection is cut in columns and turned, its bias in three") {
    const auto rules = rules_of(small());
    const TensorRule& key = rules.at("model.layers.1.self_attn.k_proj.weight");
    CHECK((key.op == TensorRule::Op::Slice));
    CHECK(key.theirs.at(0) == "transformer.h.1.attn.c_attn.weight");
    CHECK(key.dim == 1);
    CHECK(key.begin == 8);
    CHECK((key.order == std::vector<int64_t>{1, 0}));
    const TensorRule& bias = rules.at("model.layers.1.self_attn.v_proj.bias");
    CHECK(bias.dim == 0);
    CHECK(bias.begin == 16);
    CHECK((rules.at("model.layers.0.mlp.up_proj.weight").op == TensorRule::Op::Transpose));
    CHECK((rules.at("model.layers.0.mlp.up_proj.bias").op == TensorRule::Op::Rename));
  }

  TEST_CASE("the head has a tensor of its own only when it is not tied") {
    CHECK(rules_of(small()).count("lm_head.weight") == 0);
    Value config = small();
    config["tie_word_embeddings"] = false;
    CHECK(rules_of(config).count("lm_head.weight") == 1);
  }

  TEST_CASE("a key that cannot be honoured is refused by name") {
    const std::pair<std::string_view, Value> cases[] = {{"activation_function", "relu"},
                                                        {"scale_attn_weights", false},
                                                        {"scale_attn_by_inverse_layer_idx", true},
                                                        {"add_cross_attention", true},
                                                        {"n_head", 3}};
    for (const auto& [key, value] : cases) {
      CAPTURE(key);
      Value config = small();
      config[key] = value;
      CHECK_THROWS_WITH_AS(
          Gpt2().to_spec(config), doctest::Contains(std::string(key).c_str()), mortise::DataError);
    }
  }

  TEST_CASE("dropout is no reason to refuse the original files") {
    Value config = small();
    config["attn_pdrop"] = 0.1;
    CHECK_NOTHROW(Gpt2().to_spec(config));
  }

  TEST_CASE("what GPT-2 cannot express is refused by its path") {
    const Gpt2 gpt2;
    const auto message_of = [&](const auto& change) -> std::string {
      Value spec = gpt2.to_spec(small());
      change(spec);
      try {
        gpt2.to_hf(spec);
      } catch (const mortise::Error& error) {
        return error.message();
      }
      return "";
    };
    const auto has = [](const std::string& text, const char* part) {
      CAPTURE(text);
      CHECK(text.find(part) != std::string::npos);
    };
    has(message_of([](Value& s) { s["norm"]["type"] = "rms_norm"; }),
        "model.norm.type: got \"rms_norm\"");
    has(message_of([](Value& s) { s["embedding"].erase("position"); }),
        "model.embedding.position: got none");
    has(message_of([](Value& s) { s["layer"]["dense"]["type"] = "parallel"; }),
        "model.layer.*.type: got \"parallel\"");
    has(message_of([](Value& s) { s["layer"]["dense"]["attention"]["kv_heads"] = 1; }),
        "attention.kv_heads: got 1");
    has(message_of([](Value& s) { s["layer"]["dense"]["attention"]["bias"] = false; }),
        "attention.bias: got false");
    has(message_of([](Value& s) { s["layer"]["dense"]["attention"]["position"]["type"] = "rope"; }),
        "attention.position.type: got \"rope\"");
  }
}
