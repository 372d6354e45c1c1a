// Reads config.json of LLaMA 1–3, DeepSeek-LLM, Mistral, Qwen2, Qwen2.5 and Qwen3.
//
// One body with four switches: biases (Qwen2: query, key and value only), norms on heads (Qwen3), a
// sliding window in all layers (Mistral) or in some (Qwen: layer_types, max_window_layers), and the
// width of a head.  What a key means when it is absent differs by model_type, as in transformers.
// Sources: transformers' configuration_{llama,mistral,qwen2,qwen3}.py (5.x).
#include "llama.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "mortise/error.hpp"
#include "mortise/hf_config.hpp"
#include "mortise/plugin.hpp"

namespace mortise::architecture::llama {

namespace {

/// What the families of the name `model_type` assume.
struct Family {
  std::string_view model_type;
  int64_t kv_heads;  // when the key is absent; 0: as many as heads
  int64_t head_dim;  // when the key is absent; 0: width / heads
  int64_t max_positions;
  bool always_qkv_bias, has_attention_bias, has_mlp_bias, has_qk_norm;
};

constexpr std::array<Family, 4> kFamilies = {{
    {"llama", 0, 0, 2048, false, true, true, false},
    {"mistral", 8, 0, 131072, false, false, false, false},
    {"qwen2", 32, 0, 32768, true, false, false, false},
    {"qwen3", 32, 128, 32768, false, true, false, true},
}};

const Family* family_of(const Value& hf_config) {
  const Value* type = hf_config.find("model_type");
  if (type == nullptr || !type->is_string()) return nullptr;
  const auto found = std::find_if(kFamilies.begin(), kFamilies.end(), [&](const Family& family) {
    return family.model_type == type->as_string();
  });
  return found == kFamilies.end() ? nullptr : &*found;
}

bool is_qwen(const Family& family) { return family.model_type.starts_with("qwen"); }

/// The window of the sliding layers; nothing: there is none.
std::optional<int64_t> window_of(HfConfig& config, const Family& family) {
  if (family.model_type == "llama") {
    if (config.flag("use_sliding_window", true)) config.only("sliding_window", Value());
    return std::nullopt;
  }
  if (is_qwen(family) && !config.flag("use_sliding_window", false)) {
    config.ignore({"sliding_window", "max_window_layers"});  // kept in files, switched off
    return std::nullopt;
  }
  if (config.find("sliding_window") == nullptr && !config.has_null("sliding_window")) return 4096;
  if (config.find("sliding_window") == nullptr) return std::nullopt;
  return config.positive("sliding_window");
}

/// For each layer, whether it slides.
std::vector<bool> sliding_layers(HfConfig& config, const Family& family, bool has_window) {
  const int64_t layers = config.positive("num_hidden_layers");
  const bool qwen = is_qwen(family);
  const int64_t full = qwen ? static_cast<int64_t>(config.number("max_window_layers", 28)) : 0;
  std::vector<bool> slides;
  for (int64_t i = 0; i < layers; ++i) slides.push_back(has_window && (!qwen || i >= full));
  const Value* types = config.find("layer_types");
  if (types == nullptr) return slides;
  if (!types->is_array() || static_cast<int64_t>(types->as_array().size()) != layers)
    config.refuse("layer_types", "no list of one type a layer", "num_hidden_layers types");
  for (int64_t i = 0; i < layers; ++i) {
    const Value& type = types->as_array()[static_cast<size_t>(i)];
    const bool wants = type == Value("sliding_attention");
    if ((!wants && !(type == Value("full_attention"))) || (wants && !has_window))
      config.refuse("layer_types",
                    text_of(type),
                    has_window ? "\"full_attention\" and \"sliding_attention\""
                               : "\"full_attention\" in a model without a sliding window");
    if (!qwen && wants != slides[static_cast<size_t>(i)])
      config.refuse("layer_types", "mixed", "one type for all layers of this model_type");
    slides[static_cast<size_t>(i)] = wants;
  }
  return slides;
}

Value attention_spec(HfConfig& config, const Family& family, int64_t longest) {
  const int64_t heads = config.positive("num_attention_heads"),
                width = config.positive("hidden_size");
  const bool null_kv = config.has_null("num_key_value_heads") || family.kv_heads == 0;
  Value attention = Value::table();
  attention["type"] = "gqa";
  attention["heads"] = heads;
  attention["kv_heads"] = config.positive("num_key_value_heads", null_kv ? heads : family.kv_heads);
  attention["head_dim"] =
      config.positive("head_dim", family.head_dim > 0 ? family.head_dim : width / heads);
  const bool bias = family.has_attention_bias && config.flag("attention_bias", false);
  if (!family.has_attention_bias) config.only("attention_bias", family.always_qkv_bias);
  attention["bias"] = bias || family.always_qkv_bias;
  attention["output_bias"] = bias;
  attention["position"] = config.rope_position({}, longest);
  if (family.has_qk_norm) {
    attention["qk_norm"]["type"] = "rms_norm";
    attention["qk_norm"]["eps"] = config.number("rms_norm_eps", 1e-6);
  }
  return attention;
}

/// Writes one table for each run of layers of one kind.
void add_layers(Value& spec, const Value& layer, const std::vector<bool>& slides, int64_t window) {
  int64_t order = 0;
  for (size_t begin = 0; begin < slides.size();) {
    size_t end = begin;
    while (end < slides.size() && slides[end] == slides[begin]) ++end;
    const bool is_only = begin == 0 && end == slides.size();
    const std::string name =
        is_only ? "dense" : fmt::format("{}_{}", slides[begin] ? "sliding" : "full", begin);
    Value& table = spec["layer"][name];
    table = layer;
    if (!is_only) table["order"] = ++order;
    table["repeat"] = static_cast<int64_t>(end - begin);
    if (slides[begin]) table["attention"]["sliding_window"] = window;
    begin = end;
  }
}

}  // namespace

bool Llama::recognises(const Value& hf_config) const { return family_of(hf_config) != nullptr; }

Value Llama::to_spec(const Value& hf_config) const {
  const Family* family = family_of(hf_config);
  HfConfig config(hf_config, "llama");
  if (family == nullptr) config.refuse("model_type", "absent or foreign", "its own four");
  config.only("hidden_act", "silu");
  config.only("pretraining_tp", 1);
  config.only("attention_dropout", 0);
  config.only("quantization_config", Value());

  Value spec = Value::table();
  spec["vocab"] = config.positive("vocab_size");
  spec["width"] = config.positive("hidden_size");
  const int64_t longest = config.positive("max_position_embeddings", family->max_positions);
  const double eps = config.number("rms_norm_eps", 1e-6);
  Value layer = Value::table();
  layer["type"] = "prenorm";
  layer["attention"] = attention_spec(config, *family, longest);
  layer["ffn"]["type"] = "swiglu";
  layer["ffn"]["hidden"] = config.positive("intermediate_size");
  layer["ffn"]["bias"] = family->has_mlp_bias && config.flag("mlp_bias", false);
  if (!family->has_mlp_bias) config.only("mlp_bias", false);

  spec["max_seq_len"] = reach_of_rope(layer.at("attention").at("position"), longest);
  spec["init"]["std"] = config.number("initializer_range", 0.02);
  spec["embedding"]["type"] = "token";
  spec["norm"]["type"] = "rms_norm";
  spec["norm"]["eps"] = eps;
  spec["head"]["type"] = "lm";
  spec["head"]["tied"] = config.flag("tie_word_embeddings", false);
  const std::optional<int64_t> window = window_of(config, *family);
  add_layers(spec, layer, sliding_layers(config, *family, window.has_value()), window.value_or(0));
  config.warn_of_unread();
  return spec;
}

std::vector<TensorRule> Llama::names(const Value& spec) const {
  std::vector<TensorRule> rules;
  const auto add = [&](const std::string& name) {
    rules.push_back(TensorRule::rename(name, name));
  };
  add("model.embed_tokens.weight");
  int64_t index = 0;
  for (const Value* layer : SpecReader(spec, "llama").layers()) {
    const Value &attention = layer->at("attention"), &ffn = layer->at("ffn");
    const std::string prefix = fmt::format("model.layers.{}.", index++);
    const auto linear = [&](const char* name, bool bias) {
      add(prefix + name + ".weight");
      if (bias) add(prefix + name + ".bias");
    };
    add(prefix + "input_layernorm.weight");
    for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"})
      linear(name, attention.get("bias", false));
    linear("self_attn.o_proj", attention.get("output_bias", false));
    if (present(attention, "qk_norm") != nullptr) {
      add(prefix + "self_attn.q_norm.weight");
      add(prefix + "self_attn.k_norm.weight");
    }
    add(prefix + "post_attention_layernorm.weight");
    for (const char* name : {"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"})
      linear(name, ffn.get("bias", false));
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
                   "llama", "LLaMA-type folders of Hugging Face: LLaMA, Mistral, Qwen2, Qwen3"));
