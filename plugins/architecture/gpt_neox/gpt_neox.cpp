// config.json and tensors of GPT-NeoX: partial rotation, layer norms, GELU, parallel or sequential
// residual.
//
// query_key_value is one projection laid out [heads][q, k, v][head], so each of ours takes every
// third block of rows.  Sources: transformers' configuration_gpt_neox.py, modeling_gpt_neox.py
// (5.x).
#include "gpt_neox.hpp"

#include <string_view>
#include <utility>

#include "mortise/error.hpp"
#include "mortise/hf_config.hpp"
#include "mortise/plugin.hpp"

namespace mortise::architecture::gpt_neox {

namespace {

constexpr RopeKeys kRopeKeys = {"rotary_emb_base", "rotary_pct", 0.25};

Value layer_spec(HfConfig& config, int64_t longest) {
  const int64_t width = config.positive("hidden_size"),
                heads = config.divisor("num_attention_heads", "hidden_size", width);
  const bool bias = config.flag("attention_bias", true);
  Value layer = Value::table();
  layer["type"] = config.flag("use_parallel_residual", true) ? "parallel" : "prenorm";
  layer["repeat"] = config.positive("num_hidden_layers");
  Value& attention = layer["attention"];
  attention["type"] = "gqa";
  attention["heads"] = heads;
  attention["bias"] = bias;
  attention["output_bias"] = bias;
  attention["position"] = config.rope_position(kRopeKeys, longest);
  layer["ffn"]["type"] = "gelu";
  layer["ffn"]["hidden"] = config.positive("intermediate_size");
  layer["ffn"]["bias"] = true;
  layer["ffn"]["form"] = config.gelu_form("hidden_act", "gelu");
  return layer;
}

/// Part q, k or v (0, 1, 2) of the fused projection.
TensorRule fused(const std::string& ours,
                 const std::string& theirs,
                 int64_t part,
                 int64_t heads,
                 int64_t width,
                 bool is_weight) {
  TensorRule rule = TensorRule::rename(ours, theirs);
  rule.op = TensorRule::Op::Slice;
  rule.view = {heads, 3, width / heads};
  rule.dim = 1;
  rule.begin = part;
  rule.sizes = {1};
  rule.shape = {width};
  rule.stored = {3 * width};
  if (is_weight)
    for (std::vector<int64_t>* sizes : {&rule.view, &rule.shape, &rule.stored})
      sizes->push_back(width);
  return rule;
}

/// What the rules of one layer depend on.
struct Sizes {
  int64_t heads = 0, width = 0;
  bool attention_bias = true;
};

void add_layer_rules(int64_t index, const Sizes& sizes, std::vector<TensorRule>& rules) {
  const std::string ours = fmt::format("model.layers.{}.", index),
                    theirs = fmt::format("gpt_neox.layers.{}.", index);
  const auto both = [&](const char* own, const char* name, bool bias = true) {
    rules.push_back(
        TensorRule::rename(ours + own + ".weight", fmt::format("{}{}.weight", theirs, name)));
    if (bias)
      rules.push_back(
          TensorRule::rename(ours + own + ".bias", fmt::format("{}{}.bias", theirs, name)));
  };
  both("input_layernorm", "input_layernorm");
  int64_t part = 0;
  const std::string whole = theirs + "attention.query_key_value";
  for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}) {
    rules.push_back(
        fused(ours + name + ".weight", whole + ".weight", part, sizes.heads, sizes.width, true));
    if (sizes.attention_bias)
      rules.push_back(
          fused(ours + name + ".bias", whole + ".bias", part, sizes.heads, sizes.width, false));
    ++part;
  }
  both("self_attn.o_proj", "attention.dense", sizes.attention_bias);
  both("post_attention_layernorm", "post_attention_layernorm");
  both("mlp.up_proj", "mlp.dense_h_to_4h");
  both("mlp.down_proj", "mlp.dense_4h_to_h");
}

/// The one kind of layer.  Throws: Error naming what GPT-NeoX has not.
const Value& checked_layer(const SpecReader& reader, const Value& spec) {
  reader.want_plain_embedding();
  const Value& norm = reader.typed(spec, "norm", "layer_norm");
  reader.want_flag("model.norm", norm, "bias", /*otherwise=*/true, true);
  reader.typed(spec, "head", "lm");
  const Value& layer =
      reader.one_kind({"parallel", "prenorm"}, {"type", "norm", "attention", "ffn", "shared_norm"});
  reader.want_flag("model.layer.*", layer, "shared_norm", /*otherwise=*/false, false);
  const Value& ffn = reader.typed(layer, "ffn", "gelu");
  reader.want_flag("model.layer.*.ffn", ffn, "bias", /*otherwise=*/true, true);
  const Value& attention = reader.typed(layer, "attention", "gqa");
  if (attention.get("bias", false) != attention.get("output_bias", false))
    reader.refuse("model.layer.*.attention.output_bias", "another value than bias", "equal values");
  reader.want_plain_heads(attention);
  return layer;
}

}  // namespace

bool GptNeox::recognises(const Value& hf_config) const {
  const Value* type = hf_config.find("model_type");
  return type != nullptr && type->is_string() && type->as_string() == "gpt_neox";
}

Value GptNeox::to_spec(const Value& hf_config) const {
  HfConfig config(hf_config, "gpt_neox");
  config.only("quantization_config", Value());
  config.warn_of_dropout({"attention_dropout", "hidden_dropout"});
  const int64_t longest = config.positive("max_position_embeddings", 2048);
  Value spec = Value::table();
  spec["vocab"] = config.positive("vocab_size");
  spec["width"] = config.positive("hidden_size");
  const Value layer = layer_spec(config, longest);
  spec["max_seq_len"] = reach_of_rope(layer.at("attention").at("position"), longest);
  spec["init"]["std"] = config.number("initializer_range", 0.02);
  spec["embedding"]["type"] = "token";
  spec["norm"]["type"] = "layer_norm";
  spec["norm"]["eps"] = config.number("layer_norm_eps", 1e-5);
  spec["head"]["type"] = "lm";
  spec["head"]["tied"] = config.flag("tie_word_embeddings", false);
  spec["layer"]["dense"] = layer;
  config.warn_of_unread();
  return spec;
}

Value GptNeox::to_hf(const Value& spec) const {
  const SpecReader reader(spec, "GPT-NeoX");
  const Value& layer = checked_layer(reader, spec);
  const Value &attention = layer.at("attention"), &ffn = layer.at("ffn");
  Value config = Value::table();
  config["architectures"] = Value::Array{Value("GPTNeoXForCausalLM")};
  config["model_type"] = "gpt_neox";
  config["vocab_size"] = spec.at("vocab").as_int();
  config["hidden_size"] = spec.at("width").as_int();
  config["intermediate_size"] = ffn.at("hidden").as_int();
  config["num_hidden_layers"] = static_cast<int64_t>(reader.layers().size());
  config["num_attention_heads"] = attention.at("heads").as_int();
  config["attention_bias"] = attention.get("bias", false);
  config["use_parallel_residual"] = layer.get("type", "") == "parallel";
  config["hidden_act"] = ffn.get("form", "exact") == "tanh" ? "gelu_new" : "gelu";
  config["layer_norm_eps"] = spec.at("norm").get("eps", 1e-5);
  config["max_position_embeddings"] = spec.get("max_seq_len", 2048);
  reader.write_position(attention, kRopeKeys, config);
  config["initializer_range"] = reader.init_std();
  config["tie_word_embeddings"] = spec.at("head").get("tied", false);
  config["attention_dropout"] = 0.0;
  config["hidden_dropout"] = 0.0;
  config["use_cache"] = true;
  return config;
}

std::vector<TensorRule> GptNeox::names(const Value& spec) const {
  const std::vector<const Value*> layers = SpecReader(spec, "GPT-NeoX").layers();
  const Value& attention = layers.front()->at("attention");
  Sizes sizes;
  sizes.heads = attention.at("heads").as_int();
  sizes.width = spec.at("width").as_int();
  sizes.attention_bias = attention.get("bias", false);
  std::vector<TensorRule> rules = {
      TensorRule::rename("model.embed_tokens.weight", "gpt_neox.embed_in.weight")};
  for (size_t index = 0; index < layers.size(); ++index)
    add_layer_rules(static_cast<int64_t>(index), sizes, rules);
  for (const char* part : {"weight", "bias"})
    rules.push_back(TensorRule::rename(fmt::format("model.norm.{}", part),
                                       fmt::format("gpt_neox.final_layer_norm.{}", part)));
  if (!spec.at("head").get("tied", false))
    rules.push_back(TensorRule::rename("lm_head.weight", "embed_out.weight"));
  return rules;
}

}  // namespace mortise::architecture::gpt_neox

MORTISE_PLUGIN("org.mortise.architecture.gpt_neox",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::architecture::gpt_neox::GptNeox>(
                   "gpt_neox", "GPT-NeoX and Pythia folders of Hugging Face"));
