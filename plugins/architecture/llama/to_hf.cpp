// Writes config.json in the keys of transformers 4, which version 5 reads too.  What no family of
// LLaMA type can express is an error that names the part of the specification.
//
// The family follows from the parts: norms on heads → qwen3; biases on query, key and value alone →
// qwen2; one window for all layers → mistral; everything else → llama.
#include <algorithm>
#include <string_view>

#include "mortise/error.hpp"
#include "mortise/hf_config.hpp"

#include "llama.hpp"

namespace mortise::architecture::llama {

namespace {

/// What the layers have in common, and which of them slide.
struct Stack {
  Value attention;  // without its window
  std::vector<bool> slides;
  int64_t window = 0;  // 0: none slides
};

Stack stack_of(const SpecReader& reader) {
  Stack stack;
  for (const Value* layer : reader.layers()) {
    const Value& own = reader.typed(*layer, "attention", "gqa");
    const int64_t window = present_int(own, "sliding_window", 0);
    Value attention = own;
    attention.erase("sliding_window");
    if (!stack.slides.empty() && !(attention == stack.attention))
      reader.refuse(
          "model.layer", "layers of several kinds (`attention` differs)", "one kind, repeated");
    if (window > 0 && stack.window > 0 && window != stack.window)
      reader.refuse("model.layer.*.attention.sliding_window",
                    fmt::format("{} and {}", stack.window, window),
                    "one window");
    stack.attention = std::move(attention);
    stack.window = std::max(stack.window, window);
    stack.slides.push_back(window > 0);
  }
  return stack;
}

std::string_view family_of(const SpecReader& reader, const Stack& stack, bool mlp_bias) {
  const bool bias = stack.attention.get("bias", false),
             output_bias = stack.attention.get("output_bias", false);
  const bool all_slide =
      std::find(stack.slides.begin(), stack.slides.end(), false) == stack.slides.end();
  const bool has_qk_norm = present(stack.attention, "qk_norm") != nullptr;
  if (output_bias && !bias)
    reader.refuse(
        "model.layer.*.attention.output_bias", "true beside bias = false", "equal values");
  const std::string_view family = has_qk_norm            ? "qwen3"
                                  : bias && !output_bias ? "qwen2"
                                  : all_slide && !bias   ? "mistral"
                                                         : "llama";
  if (has_qk_norm && bias != output_bias)
    reader.refuse("model.layer.*.attention.output_bias",
                  "false beside bias = true and qk_norm",
                  "equal values");
  if (family != "llama" && mlp_bias)
    reader.refuse("model.layer.*.ffn.bias", "true", fmt::format("false in a {} model", family));
  if (family == "llama" && stack.window > 0)
    reader.refuse("model.layer.*.attention.sliding_window",
                  bias ? "a window beside biases" : "a window in some layers",
                  "a window in all layers without biases, or Qwen's biases or norms on heads");
  return family;
}

void write_window(const Stack& stack, std::string_view family, Value& config) {
  if (family == "llama") return;
  config["sliding_window"] = stack.window > 0 ? Value(stack.window) : Value();
  if (family == "mistral") return;
  config["use_sliding_window"] = stack.window > 0;
  if (stack.window == 0) return;
  Value types = Value::array();
  for (const bool slides : stack.slides)
    types.as_array().push_back(slides ? "sliding_attention" : "full_attention");
  config["layer_types"] = std::move(types);
}

std::string class_name(std::string_view family) {
  return family == "qwen3"     ? "Qwen3ForCausalLM"
         : family == "qwen2"   ? "Qwen2ForCausalLM"
         : family == "mistral" ? "MistralForCausalLM"
                               : "LlamaForCausalLM";
}

}  // namespace

Value Llama::to_hf(const Value& spec) const {
  const SpecReader reader(spec, "LLaMA");
  reader.want_plain_embedding();
  const Value& norm = reader.typed(spec, "norm", "rms_norm");
  reader.typed(spec, "head", "lm");
  const Value& first = reader.one_kind({"prenorm"}, {"type", "ffn", "norm"});
  const Value& ffn = reader.typed(first, "ffn", "swiglu");
  const Stack stack = stack_of(reader);
  const Value& attention = stack.attention;
  if (const Value* own = present(attention, "qk_norm"); own != nullptr && !(*own == norm))
    reader.refuse("model.layer.*.attention.qk_norm", "another norm than model.norm", "one for all");
  const std::string_view family = family_of(reader, stack, ffn.get("bias", false));

  const int64_t width = spec.at("width").as_int(), heads = attention.at("heads").as_int();
  Value config = Value::table();
  config["architectures"] = Value::Array{Value(class_name(family))};
  config["model_type"] = family;
  config["vocab_size"] = spec.at("vocab").as_int();
  config["hidden_size"] = width;
  config["intermediate_size"] = ffn.at("hidden").as_int();
  config["num_hidden_layers"] = static_cast<int64_t>(stack.slides.size());
  config["num_attention_heads"] = heads;
  config["num_key_value_heads"] = present_int(attention, "kv_heads", heads);
  config["head_dim"] = present_int(attention, "head_dim", width / heads);
  if (family == "llama" || family == "qwen3")
    config["attention_bias"] = attention.get("bias", false);
  if (family == "llama") config["mlp_bias"] = ffn.get("bias", false);
  config["max_position_embeddings"] = spec.get("max_seq_len", 2048);
  reader.write_position(attention, {}, config);
  write_window(stack, family, config);
  config["hidden_act"] = "silu";
  config["rms_norm_eps"] = norm.get("eps", 1e-6);
  config["initializer_range"] = reader.init_std();
  config["tie_word_embeddings"] = spec.at("head").get("tied", false);
  config["attention_dropout"] = 0.0;
  if (family == "llama") config["pretraining_tp"] = 1;
  config["use_cache"] = true;
  return config;
}

}  // namespace mortise::architecture::llama
