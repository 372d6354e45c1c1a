// Reads config.json of LLaMA-1/2/3, DeepSeek-LLM and Mistral without its window.
//
// Two dialects are read: transformers 4 (rope_theta + rope_scaling{rope_type | type, …}) and 5
// (rope_parameters with rope_theta inside).  A key that changes the numbers and cannot be honoured
// is an error that names it; a key that is unknown is told in a warning.  Sources: transformers'
// configuration_llama.py, modeling_rope_utils.py (5.x).
#include "llama.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "mortise/log.hpp"
#include "mortise/plugin.hpp"

namespace mortise::architecture::llama {

namespace {

constexpr std::array kModelTypes = {"llama", "mistral"};

// Read here, or without influence on the numbers of a forward pass.
constexpr std::array<std::string_view, 44> kKnownKeys = {"architectures",
                                                         "attention_bias",
                                                         "attention_dropout",
                                                         "bos_token_id",
                                                         "dtype",
                                                         "eos_token_id",
                                                         "head_dim",
                                                         "hidden_act",
                                                         "hidden_size",
                                                         "initializer_range",
                                                         "intermediate_size",
                                                         "max_position_embeddings",
                                                         "mlp_bias",
                                                         "model_type",
                                                         "num_attention_heads",
                                                         "num_hidden_layers",
                                                         "num_key_value_heads",
                                                         "pad_token_id",
                                                         "pretraining_tp",
                                                         "quantization_config",
                                                         "rms_norm_eps",
                                                         "rope_parameters",
                                                         "rope_scaling",
                                                         "rope_theta",
                                                         "sliding_window",
                                                         "layer_types",
                                                         "tie_word_embeddings",
                                                         "torch_dtype",
                                                         "transformers_version",
                                                         "use_cache",
                                                         "vocab_size",
                                                         "_name_or_path",
                                                         "_attn_implementation",
                                                         "partial_rotary_factor",
                                                         "use_sliding_window",
                                                         "output_attentions",
                                                         "output_hidden_states",
                                                         "return_dict",
                                                         "id2label",
                                                         "label2id",
                                                         "is_encoder_decoder",
                                                         "tokenizer_class",
                                                         "auto_map",
                                                         "unk_token_id"};

[[noreturn]] void refuse(std::string_view key,
                         const std::string& found,
                         const std::string& wanted) {
  throw DataError(
      fmt::format("config.json: `{}` is {}, and llama knows only {}", key, found, wanted),
      "the model needs another architecture component; `mortise inspect architecture` lists those "
      "there are");
}

std::string text_of(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::Bool:
      return value.as_bool() ? "true" : "false";
    case Value::Kind::Int:
      return std::to_string(value.as_int());
    case Value::Kind::Float:
      return fmt::format("{}", value.as_float());
    case Value::Kind::String:
      return '"' + value.as_string() + '"';
    default:
      return std::string(kind_name(value.kind()));
  }
}

/// A present, non-null member, or null.
const Value* present(const Value& table, std::string_view key) {
  const Value* value = table.find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

int64_t positive(const Value& config, std::string_view key) {
  const Value* value = present(config, key);
  if (value == nullptr)
    throw DataError(fmt::format("config.json has no `{}`", key),
                    "the folder is no complete LLaMA model");
  if (!value->is_int() || value->as_int() <= 0)
    throw DataError(
        fmt::format("config.json: `{}` must be a positive integer, got {}", key, text_of(*value)));
  return value->as_int();
}

double number(const Value& table, std::string_view key, double otherwise) {
  const Value* value = present(table, key);
  if (value == nullptr) return otherwise;
  if (!value->is_number())
    throw DataError(
        fmt::format("config.json: `{}` must be a number, got {}", key, text_of(*value)));
  return value->as_float();
}

bool flag(const Value& config, std::string_view key, bool otherwise) {
  const Value* value = present(config, key);
  if (value == nullptr) return otherwise;
  if (!value->is_bool())
    throw DataError(
        fmt::format("config.json: `{}` must be true or false, got {}", key, text_of(*value)));
  return value->as_bool();
}

/// A key that must be absent, null or this value.
void only(const Value& config, std::string_view key, const Value& neutral) {
  const Value* value = present(config, key);
  if (value == nullptr || *value == neutral) return;
  if (value->is_number() && neutral.is_number() && value->as_float() == neutral.as_float()) return;
  refuse(key, text_of(*value), neutral.is_null() ? "null" : text_of(neutral));
}

void check_keys(const Value& config) {
  only(config, "hidden_act", "silu");
  only(config, "pretraining_tp", 1);
  only(config, "attention_dropout", 0);
  only(config, "partial_rotary_factor", 1);
  only(config, "quantization_config", Value());
  if (!flag(config, "use_sliding_window", true)) {
    // Qwen-like files keep the size of a window that is switched off.
  } else {
    only(config, "sliding_window", Value());
  }
  if (const Value* types = present(config, "layer_types"); types != nullptr)
    for (const Value& type : types->as_array())
      if (!(type == Value("full_attention")))
        refuse("layer_types", text_of(type), "\"full_attention\"");
  std::string unknown;
  for (const auto& [key, value] : config.as_table())
    if (std::find(kKnownKeys.begin(), kKnownKeys.end(), key) == kKnownKeys.end())
      unknown += (unknown.empty() ? "" : ", ") + key;
  if (!unknown.empty())
    log::warn("config.json has keys that llama does not know and ignores: {}", unknown);
}

Value scaling_spec(const Value& parameters, std::string_view where) {
  const Value* type = present(parameters, "rope_type");
  if (type == nullptr) type = present(parameters, "type");
  Value spec = Value::table();
  spec["type"] = type == nullptr ? "default" : type->as_string();
  const std::string name = spec.at("type").as_string();
  if (name == "default") return spec;
  if (name != "linear" && name != "llama3")
    refuse(fmt::format("{}.rope_type", where),
           '"' + name + '"',
           "\"default\", \"linear\" and \"llama3\"");
  if (present(parameters, "factor") == nullptr)
    throw DataError(fmt::format("config.json: `{}` of type \"{}\" has no `factor`", where, name));
  spec["factor"] = number(parameters, "factor", 1);
  if (name == "llama3") {
    spec["low_freq_factor"] = number(parameters, "low_freq_factor", 1);
    spec["high_freq_factor"] = number(parameters, "high_freq_factor", 4);
    spec["original_max_position"] = positive(parameters, "original_max_position_embeddings");
  }
  return spec;
}

Value position_spec(const Value& config) {
  Value position = Value::table();
  position["type"] = "rope";
  if (const Value* parameters = present(config, "rope_parameters"); parameters != nullptr) {
    only(*parameters, "partial_rotary_factor", 1);
    position["theta"] = number(*parameters, "rope_theta", number(config, "rope_theta", 10000));
    position["scaling"] = scaling_spec(*parameters, "rope_parameters");
    return position;
  }
  position["theta"] = number(config, "rope_theta", 10000);
  const Value* scaling = present(config, "rope_scaling");
  position["scaling"] =
      scaling_spec(scaling == nullptr ? Value::table() : *scaling, "rope_scaling");
  return position;
}

Value attention_spec(const Value& config) {
  const int64_t heads = positive(config, "num_attention_heads"),
                width = positive(config, "hidden_size");
  Value attention = Value::table();
  attention["type"] = "gqa";
  attention["heads"] = heads;
  attention["kv_heads"] =
      present(config, "num_key_value_heads") ? positive(config, "num_key_value_heads") : heads;
  attention["head_dim"] =
      present(config, "head_dim") ? positive(config, "head_dim") : width / heads;
  attention["bias"] = flag(config, "attention_bias", false);
  attention["output_bias"] = flag(config, "attention_bias", false);
  attention["position"] = position_spec(config);
  return attention;
}

}  // namespace

bool Llama::recognises(const Value& hf_config) const {
  const Value* type = hf_config.find("model_type");
  return type != nullptr && type->is_string() &&
         std::find(kModelTypes.begin(), kModelTypes.end(), type->as_string()) != kModelTypes.end();
}

Value Llama::to_spec(const Value& hf_config) const {
  check_keys(hf_config);
  Value spec = Value::table();
  spec["vocab"] = positive(hf_config, "vocab_size");
  spec["width"] = positive(hf_config, "hidden_size");
  spec["max_seq_len"] = present(hf_config, "max_position_embeddings")
                            ? positive(hf_config, "max_position_embeddings")
                            : int64_t{2048};
  spec["init"]["std"] = number(hf_config, "initializer_range", 0.02);
  spec["embedding"]["type"] = "token";
  spec["norm"]["type"] = "rms_norm";
  spec["norm"]["eps"] = number(hf_config, "rms_norm_eps", 1e-6);
  spec["head"]["type"] = "lm";
  spec["head"]["tied"] = flag(hf_config, "tie_word_embeddings", false);
  Value& layer = spec["layer"]["dense"];
  layer["type"] = "prenorm";
  layer["repeat"] = positive(hf_config, "num_hidden_layers");
  layer["attention"] = attention_spec(hf_config);
  layer["ffn"]["type"] = "swiglu";
  layer["ffn"]["hidden"] = positive(hf_config, "intermediate_size");
  layer["ffn"]["bias"] = flag(hf_config, "mlp_bias", false);
  return spec;
}

std::vector<TensorRule> Llama::names(const Value& spec) const {
  std::vector<TensorRule> rules;
  const auto add = [&](std::string name) {
    TensorRule rule;
    rule.ours = name;
    rule.theirs = {std::move(name)};
    rules.push_back(std::move(rule));
  };
  add("model.embed_tokens.weight");
  int64_t index = 0;
  for (const Value* layer : sorted_layers(spec)) {
    const Value& attention = layer->at("attention");
    const bool qkv_bias = attention.get("bias", false),
               output_bias = attention.get("output_bias", false);
    const bool mlp_bias = layer->at("ffn").get("bias", false);
    for (int64_t i = 0; i < layer->get("repeat", 1); ++i, ++index) {
      const std::string prefix = fmt::format("model.layers.{}.", index);
      const auto linear = [&](const char* name, bool bias) {
        add(prefix + name + ".weight");
        if (bias) add(prefix + name + ".bias");
      };
      add(prefix + "input_layernorm.weight");
      for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"})
        linear(name, qkv_bias);
      linear("self_attn.o_proj", output_bias);
      add(prefix + "post_attention_layernorm.weight");
      for (const char* name : {"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"})
        linear(name, mlp_bias);
    }
  }
  add("model.norm.weight");
  if (!spec.at("head").get("tied", false)) add("lm_head.weight");
  return rules;
}

}  // namespace mortise::architecture::llama

MORTISE_PLUGIN("org.mortise.architecture.llama",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::architecture::llama::Llama>(
                   "llama", "LLaMA-type folders of Hugging Face"));
