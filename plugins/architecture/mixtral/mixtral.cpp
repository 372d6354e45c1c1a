// Reads and writes config.json of Mixtral: LLaMA's attention, and in every layer experts that a
// router chooses by a softmax over all of them, renormalised over the chosen.
//
// On disk each expert is by itself: block_sparse_moe.experts.E.{w1, w3, w2} are gate, up and down;
// ours are stacked.  Source: transformers' configuration_mixtral.py and modeling_mixtral.py (5.x).
// router_aux_loss_coef becomes router.aux_loss as it stands; transformers' loss takes all layers
// together and counts a token once for each of its experts, so equal numbers weigh more there.
#include "mixtral.hpp"

#include <array>
#include <string_view>

#include "mortise/error.hpp"
#include "mortise/hf_config.hpp"
#include "mortise/plugin.hpp"

namespace mortise::architecture::mixtral {

namespace {

constexpr int64_t kKvHeads = 8, kMaxPositions = 131072;
constexpr double kTheta = 1e6;

Value attention_spec(HfConfig& config, const Value& hf_config, int64_t longest) {
  const int64_t heads = config.positive("num_attention_heads"),
                width = config.positive("hidden_size");
  Value attention = Value::table();
  attention["type"] = "gqa";
  attention["heads"] = heads;
  attention["kv_heads"] = config.positive(
      "num_key_value_heads", config.has_null("num_key_value_heads") ? heads : kKvHeads);
  attention["head_dim"] = config.positive("head_dim", width / heads);
  attention["position"] = config.rope_position({}, longest);
  const Value* parameters = present(hf_config, "rope_parameters");
  if (present(hf_config, "rope_theta") == nullptr &&
      (parameters == nullptr || present(*parameters, "rope_theta") == nullptr))
    attention["position"]["theta"] = kTheta;
  if (config.find("sliding_window") != nullptr)
    attention["sliding_window"] = config.positive("sliding_window");
  return attention;
}

/// What of the router Mixtral cannot express, by name.
void check_router(const SpecReader& reader, const Value& router) {
  const auto only = [&](const char* key, const Value& wanted) {
    const Value* value = present(router, key);
    if (value == nullptr || *value == wanted) return;
    if (value->is_number() && wanted.is_number() && value->as_float() == wanted.as_float()) return;
    reader.refuse(fmt::format("model.layer.*.router.{}", key), text_of(*value), text_of(wanted));
  };
  only("renormalise", true);
  only("noisy", false);
  for (const char* key : {"sequence_aux_loss", "z_loss"}) only(key, 0.0);
  if (present(router, "capacity_factor") != nullptr)
    reader.refuse("model.layer.*.router.capacity_factor", "a capacity", "none");
}

void write_attention(const SpecReader& reader,
                     const Value& attention,
                     int64_t width,
                     Value& config) {
  for (const char* key : {"bias", "output_bias"})
    reader.want_flag("model.layer.*.attention", attention, key, /*otherwise=*/false, false);
  if (present(attention, "qk_norm") != nullptr)
    reader.refuse("model.layer.*.attention.qk_norm", "a norm", "none");
  const int64_t heads = attention.at("heads").as_int();
  config["num_attention_heads"] = heads;
  config["num_key_value_heads"] = present_int(attention, "kv_heads", heads);
  config["head_dim"] = present_int(attention, "head_dim", width / heads);
  const int64_t window = present_int(attention, "sliding_window", 0);
  config["sliding_window"] = window > 0 ? Value(window) : Value();
  reader.write_position(attention, {}, config);
}

int64_t experts_of(const Value& layer) {
  const int64_t own = present_int(layer.at("router"), "experts", 0);
  return own > 0 ? own : present_int(layer.at("paths"), "experts", 0);
}

}  // namespace

bool Mixtral::recognises(const Value& hf_config) const {
  const Value* type = hf_config.find("model_type");
  return type != nullptr && *type == Value("mixtral");
}

Value Mixtral::to_spec(const Value& hf_config) const {
  HfConfig config(hf_config, "mixtral");
  config.only("hidden_act", "silu");
  config.only("quantization_config", Value());
  config.only("attention_dropout", 0);
  config.ignore({"output_router_logits", "num_experts"});
  Value spec = Value::table();
  spec["vocab"] = config.positive("vocab_size");
  spec["width"] = config.positive("hidden_size");
  const int64_t longest = config.positive("max_position_embeddings", kMaxPositions);
  Value& layer = spec["layer"]["sparse"];
  layer["type"] = "moe";
  layer["repeat"] = config.positive("num_hidden_layers");
  layer["attention"] = attention_spec(config, hf_config, longest);
  Value& router = layer["router"];
  router["type"] = "topk";
  router["experts"] = config.positive("num_local_experts", 8);
  router["k"] = config.positive("num_experts_per_tok", 2);
  router["softmax"] = "before";
  router["renormalise"] = true;
  router["aux_loss"] = config.number("router_aux_loss_coef", 0.001);
  router["jitter"] = config.number("router_jitter_noise", 0);
  layer["paths"]["type"] = "swiglu_experts";
  layer["paths"]["hidden"] = config.positive("intermediate_size");
  spec["max_seq_len"] = reach_of_rope(layer.at("attention").at("position"), longest);
  spec["init"]["std"] = config.number("initializer_range", 0.02);
  spec["embedding"]["type"] = "token";
  spec["norm"]["type"] = "rms_norm";
  spec["norm"]["eps"] = config.number("rms_norm_eps", 1e-5);
  spec["head"]["type"] = "lm";
  spec["head"]["tied"] = config.flag("tie_word_embeddings", false);
  config.warn_of_unread();
  return spec;
}

Value Mixtral::to_hf(const Value& spec) const {
  const SpecReader reader(spec, "Mixtral");
  reader.want_plain_embedding();
  const Value& norm = reader.typed(spec, "norm", "rms_norm");
  reader.typed(spec, "head", "lm");
  const Value& layer =
      reader.one_kind({"moe"}, {"type", "attention", "router", "paths", "norm", "shared"});
  if (present_int(layer, "shared", 0) > 0)
    reader.refuse("model.layer.*.shared", text_of(layer.at("shared")), "0");
  const Value& router = reader.typed(layer, "router", "topk");
  check_router(reader, router);
  const int64_t width = spec.at("width").as_int();
  Value config = Value::table();
  config["architectures"] = Value::Array{Value("MixtralForCausalLM")};
  config["model_type"] = "mixtral";
  config["vocab_size"] = spec.at("vocab").as_int();
  config["hidden_size"] = width;
  config["intermediate_size"] =
      reader.typed(layer, "paths", "swiglu_experts").at("hidden").as_int();
  config["num_hidden_layers"] = static_cast<int64_t>(reader.layers().size());
  config["max_position_embeddings"] = spec.get("max_seq_len", 2048);
  write_attention(reader, reader.typed(layer, "attention", "gqa"), width, config);
  config["num_local_experts"] = experts_of(layer);
  config["num_experts_per_tok"] = present_int(router, "k", 2);
  config["router_aux_loss_coef"] = router.get("aux_loss", 0.0);
  config["router_jitter_noise"] = router.get("jitter", 0.0);
  config["output_router_logits"] = false;
  config["hidden_act"] = "silu";
  config["rms_norm_eps"] = norm.get("eps", 1e-6);
  config["initializer_range"] = reader.init_std();
  config["tie_word_embeddings"] = spec.at("head").get("tied", false);
  config["attention_dropout"] = 0.0;
  config["use_cache"] = true;
  return config;
}

std::vector<TensorRule> Mixtral::names(const Value& spec) const {
  constexpr std::array<std::array<const char*, 2>, 3> kProjections = {
      {{"gate_proj", "w1"}, {"up_proj", "w3"}, {"down_proj", "w2"}}};
  std::vector<TensorRule> rules;
  const auto add = [&](const std::string& name) {
    rules.push_back(TensorRule::rename(name, name));
  };
  add("model.embed_tokens.weight");
  int64_t index = 0;
  for (const Value* layer : SpecReader(spec, "mixtral").layers()) {
    const std::string prefix = fmt::format("model.layers.{}.", index++);
    for (const char* name : {"input_layernorm",
                             "self_attn.q_proj",
                             "self_attn.k_proj",
                             "self_attn.v_proj",
                             "self_attn.o_proj",
                             "post_attention_layernorm"})
      add(prefix + name + ".weight");
    rules.push_back(
        TensorRule::rename(prefix + "mlp.gate.weight", prefix + "block_sparse_moe.gate.weight"));
    for (const auto& [ours, theirs] : kProjections) {
      TensorRule rule;
      rule.ours = fmt::format("{}mlp.experts.{}.weight", prefix, ours);
      rule.op = TensorRule::Op::Stack;
      for (int64_t e = 0; e < experts_of(*layer); ++e)
        rule.theirs.push_back(
            fmt::format("{}block_sparse_moe.experts.{}.{}.weight", prefix, e, theirs));
      rules.push_back(std::move(rule));
    }
  }
  add("model.norm.weight");
  if (!spec.at("head").get("tied", false)) add("lm_head.weight");
  return rules;
}

}  // namespace mortise::architecture::mixtral

MORTISE_PLUGIN("org.mortise.architecture.mixtral",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::architecture::mixtral::Mixtral>(
                   "mixtral", "Mixtral folders of Hugging Face"));
