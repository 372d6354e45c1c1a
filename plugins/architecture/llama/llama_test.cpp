#include "llama.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/hf_config.hpp"
#include "mortise/json.hpp"

using mortise::Value;
using mortise::architecture::llama::Llama;

namespace {

constexpr const char* kSmall =
    R"({"model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
  "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "rope_theta": 500.0})";

Value small() { return mortise::parse_json(kSmall); }

Value with(std::string_view key, Value value) {
  Value config = small();
  config[key] = std::move(value);
  return config;
}

Value golden(const std::string& name) {
  return mortise::parse_json(mortise::read_file(std::string(MORTISE_SOURCE_DIR) +
                                                "/tests/golden/llama/" + name + "/config.json"));
}

Value attention_of(const Value& spec) { return spec.at("layer").at("dense").at("attention"); }

const Value& rope_of(const Value& spec) {
  return spec.at("layer").at("dense").at("attention").at("position");
}

}  // namespace

TEST_SUITE("architecture.llama") {
  TEST_CASE("absent heads and head width take their defaults") {
    Value config = small();
    config.erase("num_key_value_heads");
    const Value spec = Llama().to_spec(config);
    const Value& attention = spec.at("layer").at("dense").at("attention");
    CHECK(attention.at("kv_heads").as_int() == 4);
    CHECK(attention.at("head_dim").as_int() == 2);
    CHECK_FALSE(spec.at("head").at("tied").as_bool());
    CHECK(rope_of(spec).at("theta").as_float() == 500.0);
    CHECK(rope_of(spec).at("scaling").at("type").as_string() == "default");
  }

  TEST_CASE("both dialects of rope give the same specification") {
    const Value scaling = mortise::parse_json(
        R"({"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16})");
    Value v4 = small(), v4_old = small(), v5 = small();
    v4["rope_scaling"] = scaling;
    v4["rope_scaling"]["rope_type"] = "llama3";
    v4_old["rope_scaling"] = scaling;
    v4_old["rope_scaling"]["type"] = "llama3";
    v5.erase("rope_theta");
    v5["rope_parameters"] = scaling;
    v5["rope_parameters"]["rope_type"] = "llama3";
    v5["rope_parameters"]["rope_theta"] = 500.0;
    const Llama llama;
    CHECK(llama.to_spec(v4) == llama.to_spec(v5));
    CHECK(llama.to_spec(v4) == llama.to_spec(v4_old));
    CHECK(rope_of(llama.to_spec(v4)).at("scaling").at("original_max_position").as_int() == 16);
  }

  TEST_CASE("a specification survives the way through config.json") {
    const Llama llama;
    for (const char* name : {"gqa_head_dim",
                             "tied_mha",
                             "llama3_rope_bias",
                             "llama3_rope_v5",
                             "linear_rope",
                             "sharded"}) {
      CAPTURE(name);
      const Value config = golden(name);
      REQUIRE(llama.recognises(config));
      const Value spec = llama.to_spec(config);
      const Value written = llama.to_hf(spec);
      CHECK(llama.to_spec(written) == spec);
      CHECK(llama.to_hf(llama.to_spec(written)) == written);
    }
  }

  TEST_CASE("keys of transformers 4 are written unchanged") {
    const Value config = golden("llama3_rope_bias");
    const Value written = Llama().to_hf(Llama().to_spec(config));
    for (const auto& [key, value] : written.as_table()) {
      CAPTURE(key);
      REQUIRE((config.find(key) != nullptr));
      CHECK(*config.find(key) == value);
    }
  }

  TEST_CASE("a key that cannot be honoured is refused by name") {
    const Llama llama;
    const std::pair<std::string_view, Value> cases[] = {
        {"hidden_act", "gelu"},
        {"pretraining_tp", 2},
        {"sliding_window", 4096},
        {"attention_dropout", 0.1},
        {"partial_rotary_factor", 0.5},
        {"quantization_config", Value::table()},
        {"layer_types", Value::Array{Value("sliding_attention")}}};
    for (const auto& [key, value] : cases) {
      CAPTURE(key);
      CHECK_THROWS_WITH_AS(llama.to_spec(with(key, value)),
                           doctest::Contains(std::string(key).c_str()),
                           mortise::DataError);
    }
    Value longrope = small();
    longrope["rope_scaling"]["rope_type"] = "longrope";
    CHECK_THROWS_WITH_AS(llama.to_spec(longrope),
                         doctest::Contains("rope_scaling.rope_type` is \"longrope\""),
                         mortise::DataError);
  }

  TEST_CASE("neutral values of such keys are accepted") {
    Value config = with("sliding_window", Value());
    config["model_type"] = "mistral";
    config["pretraining_tp"] = 1;
    config["attention_dropout"] = 0.0;
    config["rope_scaling"] = Value();
    config["layer_types"] = Value::Array{Value("full_attention"), Value("full_attention")};
    REQUIRE(Llama().recognises(config));
    CHECK_NOTHROW(Llama().to_spec(config));
  }

  TEST_CASE("a missing or malformed size is an error that names it") {
    Value config = small();
    config.erase("intermediate_size");
    CHECK_THROWS_WITH_AS(
        Llama().to_spec(config), doctest::Contains("no `intermediate_size`"), mortise::DataError);
    CHECK_THROWS_WITH_AS(Llama().to_spec(with("hidden_size", "8")),
                         doctest::Contains("`hidden_size` must be a positive integer, got \"8\""),
                         mortise::DataError);
    CHECK_THROWS_WITH_AS(
        Llama().to_spec(with("vocab_size", -1)), doctest::Contains("got -1"), mortise::DataError);
    CHECK_THROWS_WITH_AS(Llama().to_spec(with("tie_word_embeddings", 1)),
                         doctest::Contains("true or false"),
                         mortise::DataError);
  }

  TEST_CASE("other models are not recognised") {
    CHECK_FALSE(Llama().recognises(with("model_type", "gpt_neox")));
    CHECK_FALSE(Llama().recognises(Value::table()));
  }

  TEST_CASE("what LLaMA cannot express is refused by its path") {
    const Llama llama;
    const Value good = llama.to_spec(small());
    Value spec = good;
    spec["layer"]["dense"]["attention"]["output_bias"] = true;
    CHECK_THROWS_WITH_AS(
        llama.to_hf(spec), doctest::Contains("attention.output_bias"), mortise::Error);
    spec = good;
    spec["layer"]["dense"]["ffn"]["type"] = "gelu";
    CHECK_THROWS_WITH_AS(
        llama.to_hf(spec), doctest::Contains("ffn.type: got \"gelu\""), mortise::Error);
    spec = good;
    const Value layer = spec.at("layer").at("dense");
    spec["layer"]["more"] = layer;
    spec["layer"]["more"]["ffn"]["hidden"] = 16;
    CHECK_THROWS_WITH_AS(llama.to_hf(spec), doctest::Contains("several kinds"), mortise::Error);
  }

  TEST_CASE("each family reads absent keys as transformers does") {
    const Llama llama;
    Value mistral = with("model_type", "mistral");
    CHECK(attention_of(llama.to_spec(mistral)).at("sliding_window").as_int() == 4096);
    mistral["sliding_window"] = Value();
    CHECK((attention_of(llama.to_spec(mistral)).find("sliding_window") == nullptr));
    mistral["sliding_window"] = 7;
    CHECK(attention_of(llama.to_spec(mistral)).at("sliding_window").as_int() == 7);

    Value qwen2 = with("model_type", "qwen2");
    qwen2["sliding_window"] = 7;
    Value attention = attention_of(llama.to_spec(qwen2));
    CHECK(attention.at("bias").as_bool());
    CHECK_FALSE(attention.at("output_bias").as_bool());
    CHECK((attention.find("sliding_window") == nullptr));  // switched off unless told otherwise

    Value qwen3 = with("model_type", "qwen3");
    attention = attention_of(llama.to_spec(qwen3));
    CHECK(attention.at("head_dim").as_int() == 128);
    CHECK(attention.at("qk_norm").at("eps").as_float() == 1e-5);
    CHECK_FALSE(attention.at("bias").as_bool());
    qwen3["num_key_value_heads"] = Value();
    CHECK(attention_of(llama.to_spec(qwen3)).at("kv_heads").as_int() == 4);
  }

  TEST_CASE("a family comes back as itself") {
    const Llama llama;
    for (const char* family : {"llama", "mistral", "qwen2", "qwen3"}) {
      CAPTURE(family);
      Value config = with("model_type", family);
      config["num_key_value_heads"] = 2;
      const Value spec = llama.to_spec(config), written = llama.to_hf(spec);
      CHECK(written.at("model_type").as_string() == family);
      CHECK(llama.to_spec(written) == spec);
    }
  }

  TEST_CASE("sliding layers of a Qwen become tables of their own, and come back") {
    const Llama llama;
    Value config = with("model_type", "qwen3");
    config["num_hidden_layers"] = 5;
    config["use_sliding_window"] = true;
    config["sliding_window"] = 6;
    std::string kinds;
    SUBCASE("from a layer on") {
      config["max_window_layers"] = 2;
      kinds = "ffsss";
    }
    SUBCASE("by a list") {
      config["layer_types"] = mortise::parse_json(
          R"(["sliding_attention", "full_attention", "full_attention", "sliding_attention", "full_attention"])");
      kinds = "sffsf";
    }
    SUBCASE("all of them") {
      config["max_window_layers"] = 0;
      kinds = "sssss";
    }
    const Value spec = llama.to_spec(config);
    std::string found;
    for (const Value* layer : mortise::SpecReader(spec, "test").layers())
      found += layer->at("attention").find("sliding_window") == nullptr ? 'f' : 's';
    CHECK(found == kinds);
    const Value written = llama.to_hf(spec);
    CHECK(written.at("sliding_window").as_int() == 6);
    CHECK(llama.to_spec(written) == spec);
    CHECK(llama.names(spec).size() == 3 + 5 * 11);
  }

  TEST_CASE("yarn takes its attention factor from any of its keys, dynamic its context") {
    const Llama llama;
    Value config = small();
    config["max_position_embeddings"] = 64;
    config["rope_scaling"] =
        mortise::parse_json(R"({"rope_type": "yarn", "factor": 4.0, "beta_fast": 16})");
    const auto scaling = [&] { return rope_of(llama.to_spec(config)).at("scaling"); };
    CHECK(scaling().at("original_max_position").as_int() == 64);
    CHECK(scaling().at("attention_factor").as_float() == doctest::Approx(0.1 * std::log(4.0) + 1));
    CHECK(llama.to_spec(config).at("max_seq_len").as_int() == 256);
    config["rope_scaling"]["mscale"] = 0.7;
    config["rope_scaling"]["mscale_all_dim"] = 1.5;
    CHECK(scaling().at("attention_factor").as_float() ==
          doctest::Approx((0.07 * std::log(4.0) + 1) / (0.15 * std::log(4.0) + 1)));
    config["rope_scaling"]["attention_factor"] = 1.25;
    CHECK(scaling().at("attention_factor").as_float() == 1.25);
    CHECK(llama.to_spec(llama.to_hf(llama.to_spec(config))) == llama.to_spec(config));
    config["rope_scaling"] = mortise::parse_json(R"({"rope_type": "dynamic", "factor": 2.0})");
    CHECK(scaling().at("original_max_position").as_int() == 64);
    CHECK(llama.to_spec(config).at("max_seq_len").as_int() == 128);
    CHECK(llama.to_hf(llama.to_spec(config)).at("max_position_embeddings").as_int() == 64);
    CHECK(llama.to_spec(llama.to_hf(llama.to_spec(config))) == llama.to_spec(config));
  }

  TEST_CASE("equal layer tables are stacked") {
    const Llama llama;
    Value spec = llama.to_spec(small());
    const Value layer = spec.at("layer").at("dense");
    spec["layer"]["more"] = layer;
    spec["layer"]["more"]["order"] = 2;
    CHECK(llama.to_hf(spec).at("num_hidden_layers").as_int() == 4);
    CHECK(llama.names(spec).size() == 2 * llama.names(llama.to_spec(small())).size() - 3);
  }

  TEST_CASE("names follow biases and the tie") {
    const auto has = [](const Value& config, std::string_view name) {
      const auto rules = Llama().names(Llama().to_spec(config));
      return std::any_of(rules.begin(), rules.end(), [&](const auto& rule) {
        return rule.ours == name && rule.theirs.at(0) == name;
      });
    };
    CHECK(has(small(), "lm_head.weight"));
    CHECK_FALSE(has(with("tie_word_embeddings", true), "lm_head.weight"));
    CHECK(has(with("attention_bias", true), "model.layers.1.self_attn.o_proj.bias"));
    CHECK_FALSE(has(small(), "model.layers.1.self_attn.o_proj.bias"));
    CHECK(has(with("mlp_bias", true), "model.layers.0.mlp.down_proj.bias"));
  }
}
