// Writes config.json in the keys of transformers 4, which version 5 reads too.  What LLaMA cannot
// express is an error that names the part of the specification.
#include <algorithm>
#include <string_view>

#include "mortise/error.hpp"

#include "llama.hpp"

namespace mortise::architecture::llama {

namespace {

[[noreturn]] void refuse(const std::string& path,
                         const std::string& found,
                         std::string_view wanted) {
  throw Error(
      Code::Usage,
      fmt::format(
          "a LLaMA folder cannot express {}: got {}, and it knows only {}", path, found, wanted),
      "export with another architecture, or change the model");
}

void want_type(const Value& part, const std::string& path, const char* type) {
  const std::string found = part.get("type", "");
  if (found != type) refuse(path + ".type", '"' + found + '"', fmt::format("\"{}\"", type));
}

/// The common table of all layers: LLaMA repeats one.
struct Stack {
  Value layer;
  int64_t count = 0;
};

Value without_core_keys(const Value& layer) {
  Value copy = layer;
  copy.erase("order");
  copy.erase("repeat");
  return copy;
}

Stack one_kind_of_layer(const Value& spec) {
  Stack stack;
  for (const Value* layer : sorted_layers(spec)) {
    Value table = without_core_keys(*layer);
    if (stack.count > 0 && !(table == stack.layer))
      refuse("model.layer", "layers of several kinds", "one kind, repeated");
    stack.layer = std::move(table);
    stack.count += layer->get("repeat", 1);
  }
  if (stack.count == 0) refuse("model.layer", "none", "one kind, repeated");
  return stack;
}

Value rope_scaling(const Value& position) {
  const Value* scaling = position.find("scaling");
  const std::string type = scaling == nullptr ? "default" : scaling->get("type", "default");
  if (type == "default") return Value();
  Value out = Value::table();
  out["rope_type"] = type;
  out["factor"] = scaling->get("factor", 1.0);
  if (type == "llama3") {
    out["low_freq_factor"] = scaling->get("low_freq_factor", 1.0);
    out["high_freq_factor"] = scaling->get("high_freq_factor", 4.0);
    out["original_max_position_embeddings"] = scaling->get("original_max_position", 8192);
  } else if (type != "linear") {
    refuse("model.layer.*.attention.position.scaling.type",
           '"' + type + '"',
           "\"default\", \"linear\" and \"llama3\"");
  }
  return out;
}

int64_t optional_int(const Value& table, std::string_view key, int64_t otherwise) {
  const Value* value = table.find(key);
  return value == nullptr || value->is_null() ? otherwise : value->as_int();
}

void write_attention(const Value& attention, int64_t width, Value& config) {
  want_type(attention, "model.layer.*.attention", "gqa");
  const int64_t heads = attention.at("heads").as_int();
  const bool bias = attention.get("bias", false);
  if (bias != attention.get("output_bias", false))
    refuse("model.layer.*.attention.output_bias",
           bias ? "false beside bias = true" : "true beside bias = false",
           "equal values");
  config["num_attention_heads"] = heads;
  config["num_key_value_heads"] = optional_int(attention, "kv_heads", heads);
  config["head_dim"] = optional_int(attention, "head_dim", width / heads);
  config["attention_bias"] = bias;
  const Value* position = attention.find("position");
  const Value rope = position == nullptr ? Value::table() : *position;
  if (position != nullptr) want_type(rope, "model.layer.*.attention.position", "rope");
  config["rope_theta"] = rope.get("theta", 10000.0);
  config["rope_scaling"] = rope_scaling(rope);
}

}  // namespace

std::vector<const Value*> sorted_layers(const Value& spec) {
  std::vector<const Value*> layers;
  for (const auto& [name, table] : spec.at("layer").as_table()) layers.push_back(&table);
  std::stable_sort(layers.begin(), layers.end(), [](const Value* a, const Value* b) {
    return a->get("order", 1) < b->get("order", 1);
  });
  return layers;
}

Value Llama::to_hf(const Value& spec) const {
  const Stack stack = one_kind_of_layer(spec);
  want_type(stack.layer, "model.layer.*", "prenorm");
  want_type(spec.at("embedding"), "model.embedding", "token");
  want_type(spec.at("norm"), "model.norm", "rms_norm");
  want_type(spec.at("head"), "model.head", "lm");
  const Value* norm = stack.layer.find("norm");
  if (norm != nullptr && !norm->is_null() && !(*norm == spec.at("norm")))
    refuse("model.layer.*.norm", "another norm than model.norm", "one norm for all");
  const Value& ffn = stack.layer.at("ffn");
  want_type(ffn, "model.layer.*.ffn", "swiglu");

  const int64_t width = spec.at("width").as_int();
  Value config = Value::table();
  config["architectures"] = Value::Array{Value("LlamaForCausalLM")};
  config["model_type"] = "llama";
  config["vocab_size"] = spec.at("vocab").as_int();
  config["hidden_size"] = width;
  config["intermediate_size"] = ffn.at("hidden").as_int();
  config["num_hidden_layers"] = stack.count;
  write_attention(stack.layer.at("attention"), width, config);
  config["mlp_bias"] = ffn.get("bias", false);
  config["hidden_act"] = "silu";
  config["rms_norm_eps"] = spec.at("norm").get("eps", 1e-6);
  config["max_position_embeddings"] = spec.get("max_seq_len", 2048);
  config["initializer_range"] =
      spec.find("init") == nullptr ? 0.02 : spec.at("init").get("std", 0.02);
  config["tie_word_embeddings"] = spec.at("head").get("tied", false);
  config["attention_dropout"] = 0.0;
  config["pretraining_tp"] = 1;
  config["use_cache"] = true;
  return config;
}

}  // namespace mortise::architecture::llama
