// Trained keys and values that every token of every document sees before its own.  They are inputs
// of attention, not a cache that poses as one: so they work with recompute, packing and
// accumulation. They are not rotated, and the positions of the text start after them.
//
// Source: Li & Liang, "Prefix-Tuning", arXiv:2101.00190 §4.3 (the MLP is their reparametrisation);
// order inside the table and names of the file: peft 0.21, PrefixEncoder and PeftModel.get_prompt
// ([tokens, layers × (key, value) × heads × head width]).  A prompt as a start is exact: with the
// keys and values that it leaves in the base, the model goes on as after that prompt.
#include "prefix.hpp"

#include <ATen/ATen.h>

#include "mortise/error.hpp"
#include "mortise/plugin.hpp"
#include "mortise/torch/adapter_tools.hpp"
#include "mortise/torch/layer.hpp"

namespace mortise::adapter::prefix {

namespace {

/// The key-value shape of each layer's attention; zeros where a layer has none.
std::vector<KvShape> kv_shapes(Module& model) {
  std::vector<KvShape> shapes;
  model.visit([&](const std::string&, Module& module) {
    if (dynamic_cast<Layer*>(&module) != nullptr) shapes.push_back({});
    const auto* attention = dynamic_cast<Attention*>(&module);
    if (attention != nullptr && !shapes.empty() && shapes.back().kv_heads == 0)
      shapes.back() = attention->kv_shape();
  });
  return shapes;
}

}  // namespace

Prefix::Prefix(Config config, const AdapterArgs& args) : config_(std::move(config)) {
  MORTISE_CHECK(args.model != nullptr, "an adapter needs a model");
  if (!args.file.is_null()) {
    const Config standard;
    take_from_file(
        "tokens", config_.tokens, args.file.get("num_virtual_tokens", int64_t{0}), standard.tokens);
    config_.prompt.clear();
  }
  shapes_ = kv_shapes(*args.model);
  borders_ = {0};
  for (const KvShape& shape : shapes_) {
    borders_.push_back(borders_.back() + 2 * shape.kv_heads * shape.head_dim);
    if (token_dim_ == 0) token_dim_ = shape.kv_heads * shape.head_dim;
  }
  MORTISE_CHECK(token_dim_ > 0,
                "no layer of this model keeps keys and values: a prefix has no place");
  freeze(*args.model);
  const Init init = config_.init == "zeros" ? Init::zeros() : Init::normal();
  if (!config_.projection) {
    embedding_PM_ = add_parameter("embedding", {config_.tokens, borders_.back()}, args.build, init);
    return;
  }
  const int64_t hidden = config_.hidden > 0 ? config_.hidden : token_dim_;
  embedding_PM_ =
      add_parameter("embedding", {config_.tokens, token_dim_}, args.build, Init::normal());
  const LinearOptions with_bias = {.bias = true};
  into_ =
      add_child("transform.0", std::make_shared<Linear>(args.build, token_dim_, hidden, with_bias));
  out_of_ = add_child("transform.2",
                      std::make_shared<Linear>(args.build, hidden, borders_.back(), with_bias));
}

at::Tensor Prefix::table() const {
  return into_ == nullptr ? embedding_PM_ : (*out_of_)(at::tanh((*into_)(embedding_PM_)));
}

void Prefix::before_stack(BlockInput& /*in*/, const at::Tensor& /*ids_BT*/) {
  current_PX_ = table();
}

void Prefix::before_layer(int64_t layer, BlockInput& in) {
  const auto index = static_cast<size_t>(layer);
  const KvShape& shape = shapes_.at(index);
  in.prefix_k_BGPK = in.prefix_v_BGPK = at::Tensor();
  if (shape.kv_heads == 0) return;
  const at::Tensor table_PX = current_PX_.defined() ? current_PX_ : table();
  const at::Tensor kv_P2GK =
      table_PX.narrow(1, borders_[index], borders_[index + 1] - borders_[index])
          .view({config_.tokens, 2, shape.kv_heads, shape.head_dim});
  in.prefix_k_BGPK = kv_P2GK.select(1, 0).transpose(0, 1).unsqueeze(0);
  in.prefix_v_BGPK = kv_P2GK.select(1, 1).transpose(0, 1).unsqueeze(0);
}

void Prefix::from_prompt(const std::vector<std::pair<at::Tensor, at::Tensor>>& kv,
                         const at::Tensor& /*x_PD*/) {
  MORTISE_CHECK(
      into_ == nullptr,
      "a reparametrised prefix cannot start from a prompt: set adapter.projection = false");
  MORTISE_CHECK_EQ(kv.size(), shapes_.size(), "layers that the prompt ran through");
  const at::NoGradGuard no_grad;
  for (size_t layer = 0; layer < kv.size(); ++layer) {
    if (shapes_[layer].kv_heads == 0) continue;
    const auto flat = [&](const at::Tensor& x_1GPK) {
      return x_1GPK.squeeze(0).transpose(0, 1).reshape({config_.tokens, -1});
    };
    embedding_PM_.detach()
        .narrow(1, borders_[layer], borders_[layer + 1] - borders_[layer])
        .copy_(at::cat({flat(kv[layer].first), flat(kv[layer].second)}, 1));
  }
}

void Prefix::merge() {
  throw Error(Code::Usage,
              "a prefix cannot be merged into the weights",
              "export it as it is (merge_adapter = false) and load it over its base");
}

std::vector<AdapterTensor> Prefix::file_tensors() {
  const at::NoGradGuard no_grad;
  return {{"prompt_embeddings", table().detach(), /*is_computed=*/into_ != nullptr}};
}

Value Prefix::file_config(const std::string& base) const {
  Value config = peft_config("PREFIX_TUNING", base);
  config["num_virtual_tokens"] = config_.tokens;
  config["token_dim"] = token_dim_;
  config["num_transformer_submodules"] = 1;
  for (const KvShape& shape : shapes_)
    if (shape.kv_heads > 0) config["num_attention_heads"] = shape.kv_heads;
  config["num_layers"] = static_cast<int64_t>(shapes_.size());
  config["encoder_hidden_size"] = Value();
  config["prefix_projection"] = false;  // the file holds what the projection gave
  return config;
}

void Prefix::Config::describe(Schema<Config>& schema) {
  schema.field("tokens", &Config::tokens, "virtual tokens before every document").min(1).max(65536);
  schema.field("projection",
               &Config::projection,
               "the table is the result of a small MLP, which is trained and not kept");
  schema.field("hidden", &Config::hidden, "inner width of that MLP; 0: that of the keys").min(0);
  schema.field("init", &Config::init, "how the table starts").one_of({"normal", "zeros"});
  schema.field(
      "prompt",
      &Config::prompt,
      "a text to start from, cut or repeated to `tokens`: its keys and values in the base");
  schema.rule("prompt == '' or not projection",
              "a reparametrised prefix cannot start from a prompt");
  schema.needs("prefix");
  schema.provides("peft_prefix_tuning");
}

}  // namespace mortise::adapter::prefix

MORTISE_PLUGIN("org.mortise.adapter.prefix",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::adapter::prefix::Prefix>(
                   "prefix", "trained keys and values before every document; the base is frozen"));
