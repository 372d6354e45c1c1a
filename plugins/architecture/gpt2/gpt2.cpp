// config.json and tensors of GPT-2: learned positions, layer norms, one fused projection for query,
// key and value, tanh GELU, a tied head.
//
// Its projections are stored [in, out] (a "Conv1D"), so each is transposed; c_attn holds query, key
// and value side by side in its columns.  The body's prefix `transformer.` is absent in the files
// of the original release.  Sources: transformers' configuration_gpt2.py, modeling_gpt2.py (5.x).
#include "gpt2.hpp"

#include <string_view>
#include <utility>

#include "mortise/error.hpp"
#include "mortise/hf_config.hpp"
#include "mortise/plugin.hpp"

namespace mortise::architecture::gpt2 {

namespace {

Value layer_spec(HfConfig& config, int64_t width) {
  const int64_t heads = config.divisor("n_head", "n_embd", width);
  Value layer = Value::table();
  layer["type"] = "prenorm";
  layer["repeat"] = config.positive("n_layer");
  Value& attention = layer["attention"];
  attention["type"] = "gqa";
  attention["heads"] = heads;
  attention["bias"] = true;
  attention["output_bias"] = true;
  attention["position"]["type"] = "none";
  layer["ffn"]["type"] = "gelu";
  layer["ffn"]["hidden"] = config.positive("n_inner", 4 * width);
  layer["ffn"]["bias"] = true;
  layer["ffn"]["form"] = config.gelu_form("activation_function", "gelu_new");
  return layer;
}

TensorRule transposed(std::string ours, std::string theirs) {
  TensorRule rule = TensorRule::rename(std::move(ours), std::move(theirs));
  rule.op = TensorRule::Op::Transpose;
  return rule;
}

/// Columns [part · width, (part + 1) · width) of c_attn, transposed.
TensorRule fused_weight(std::string ours, std::string theirs, int64_t part, int64_t width) {
  TensorRule rule = TensorRule::rename(std::move(ours), std::move(theirs));
  rule.op = TensorRule::Op::Slice;
  rule.dim = 1;
  rule.begin = part * width;
  rule.sizes = {width};
  rule.order = {1, 0};
  return rule;
}

TensorRule fused_bias(std::string ours, std::string theirs, int64_t part, int64_t width) {
  TensorRule rule = fused_weight(std::move(ours), std::move(theirs), part, width);
  rule.dim = 0;
  rule.order.clear();
  return rule;
}

void add_layer_rules(int64_t index, int64_t width, std::vector<TensorRule>& rules) {
  const std::string ours = fmt::format("model.layers.{}.", index),
                    theirs = fmt::format("transformer.h.{}.", index);
  const auto both = [&](const char* own, const char* name) {
    for (const char* part : {".weight", ".bias"})
      rules.push_back(TensorRule::rename(ours + own + part, theirs + name + part));
  };
  const auto linear = [&](const char* own, const char* name) {
    rules.push_back(transposed(ours + own + ".weight", theirs + name + ".weight"));
    rules.push_back(TensorRule::rename(ours + own + ".bias", theirs + name + ".bias"));
  };
  both("input_layernorm", "ln_1");
  int64_t part = 0;
  for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}) {
    rules.push_back(
        fused_weight(ours + name + ".weight", theirs + "attn.c_attn.weight", part, width));
    rules.push_back(fused_bias(ours + name + ".bias", theirs + "attn.c_attn.bias", part, width));
    ++part;
  }
  linear("self_attn.o_proj", "attn.c_proj");
  both("post_attention_layernorm", "ln_2");
  linear("mlp.up_proj", "mlp.c_fc");
  linear("mlp.down_proj", "mlp.c_proj");
}

/// Refuses every attention but GPT-2's.
void check_attention(const SpecReader& reader, const Value& attention) {
  for (const char* key : {"bias", "output_bias"})
    reader.want_flag("model.layer.*.attention", attention, key, /*otherwise=*/false, true);
  reader.want_plain_heads(attention);
  const Value* position = present(attention, "position");
  if (position == nullptr || position->get("type", "") != "none")
    reader.refuse("model.layer.*.attention.position.type",
                  position == nullptr ? "none given" : '"' + position->get("type", "") + '"',
                  "\"none\"");
}

}  // namespace

bool Gpt2::recognises(const Value& hf_config) const {
  const Value* type = hf_config.find("model_type");
  return type != nullptr && type->is_string() && type->as_string() == "gpt2";
}

Value Gpt2::to_spec(const Value& hf_config) const {
  HfConfig config(hf_config, "gpt2");
  config.only("scale_attn_weights", true);
  config.only("scale_attn_by_inverse_layer_idx", false);
  config.only("add_cross_attention", false);
  config.only("quantization_config", Value());
  config.warn_of_dropout({"attn_pdrop", "embd_pdrop", "resid_pdrop"});
  config.ignore({"n_ctx",
                 "reorder_and_upcast_attn",
                 "summary_activation",
                 "summary_first_dropout",
                 "summary_proj_to_labels",
                 "summary_type",
                 "summary_use_proj",
                 "task_specific_params"});
  const int64_t width = config.positive("n_embd"), positions = config.positive("n_positions", 1024);
  Value spec = Value::table();
  spec["vocab"] = config.positive("vocab_size");
  spec["width"] = width;
  spec["max_seq_len"] = positions;
  spec["init"]["std"] = config.number("initializer_range", 0.02);
  spec["embedding"]["type"] = "token";
  spec["embedding"]["position"]["type"] = "learned";
  spec["embedding"]["position"]["max_positions"] = positions;
  spec["norm"]["type"] = "layer_norm";
  spec["norm"]["eps"] = config.number("layer_norm_epsilon", 1e-5);
  spec["head"]["type"] = "lm";
  spec["head"]["tied"] = config.flag("tie_word_embeddings", true);
  spec["layer"]["dense"] = layer_spec(config, width);
  config.warn_of_unread();
  return spec;
}

Value Gpt2::to_hf(const Value& spec) const {
  const SpecReader reader(spec, "GPT-2");
  const Value& embedding = reader.typed(spec, "embedding", "token");
  const Value* position = present(embedding, "position");
  if (position == nullptr || position->get("type", "") != "learned")
    reader.refuse("model.embedding.position",
                  position == nullptr ? "none" : '"' + position->get("type", "") + '"',
                  "\"learned\"");
  const Value& norm = reader.typed(spec, "norm", "layer_norm");
  reader.want_flag("model.norm", norm, "bias", /*otherwise=*/true, true);
  reader.typed(spec, "head", "lm");
  const Value& layer = reader.one_kind({"prenorm"}, {"type", "norm", "attention", "ffn"});
  const Value& ffn = reader.typed(layer, "ffn", "gelu");
  reader.want_flag("model.layer.*.ffn", ffn, "bias", /*otherwise=*/true, true);
  const Value& attention = reader.typed(layer, "attention", "gqa");
  check_attention(reader, attention);

  Value config = Value::table();
  config["architectures"] = Value::Array{Value("GPT2LMHeadModel")};
  config["model_type"] = "gpt2";
  config["vocab_size"] = spec.at("vocab").as_int();
  config["n_embd"] = spec.at("width").as_int();
  config["n_layer"] = static_cast<int64_t>(reader.layers().size());
  config["n_head"] = attention.at("heads").as_int();
  config["n_inner"] = ffn.at("hidden").as_int();
  config["n_positions"] = position->at("max_positions").as_int();
  config["activation_function"] = ffn.get("form", "exact") == "tanh" ? "gelu_new" : "gelu";
  config["layer_norm_epsilon"] = norm.get("eps", 1e-5);
  config["initializer_range"] = reader.init_std();
  config["tie_word_embeddings"] = spec.at("head").get("tied", false);
  for (const char* key : {"attn_pdrop", "embd_pdrop", "resid_pdrop"}) config[key] = 0.0;
  config["use_cache"] = true;
  return config;
}

std::vector<TensorRule> Gpt2::names(const Value& spec) const {
  std::vector<TensorRule> rules = {
      TensorRule::rename("model.embed_tokens.weight", "transformer.wte.weight"),
      TensorRule::rename("model.embed_tokens.position.weight", "transformer.wpe.weight")};
  const int64_t width = spec.at("width").as_int(),
                layers = static_cast<int64_t>(SpecReader(spec, "GPT-2").layers().size());
  for (int64_t index = 0; index < layers; ++index) add_layer_rules(index, width, rules);
  for (const char* part : {"weight", "bias"})
    rules.push_back(TensorRule::rename(fmt::format("model.norm.{}", part),
                                       fmt::format("transformer.ln_f.{}", part)));
  if (!spec.at("head").get("tied", false))
    rules.push_back(TensorRule::rename("lm_head.weight", "lm_head.weight"));
  return rules;
}

}  // namespace mortise::architecture::gpt2

MORTISE_PLUGIN(
    "org.mortise.architecture.gpt2",
    MORTISE_VERSION,
    "Apache-2.0",
    mortise::component<mortise::architecture::gpt2::Gpt2>("gpt2", "GPT-2 folders of Hugging Face"));
