// Building and running the model.  The tree is flat: children carry the paths of Hugging Face
// ("model.layers.0").
#include "core/engine/model/language_model.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mortise/error.hpp"

namespace mortise::core {

namespace {

struct LayerTable {
  std::string name;
  int64_t order = 1, repeat = 1;
  Value config;  // without core's keys
};

std::vector<LayerTable> layer_tables(const Value& spec) {
  const Value* tables = spec.find("layer");
  MORTISE_CHECK(tables != nullptr && tables->is_table() && !tables->as_table().empty(),
                "the model has no layers: expected at least one table [model.layer.NAME]");
  std::vector<LayerTable> layers;
  for (const auto& [name, table] : tables->as_table()) {
    LayerTable layer = {name, table.get("order", 1), table.get("repeat", 1), table};
    MORTISE_CHECK(
        layer.repeat > 0, "model.layer.{}.repeat must be at least 1, got {}", name, layer.repeat);
    layer.config.erase("order");
    layer.config.erase("repeat");
    layers.push_back(std::move(layer));
  }
  std::stable_sort(layers.begin(), layers.end(), [](const LayerTable& a, const LayerTable& b) {
    return a.order < b.order;
  });
  return layers;
}

/// Adds the place in the recipe to whatever the component's constructor throws.
template <class Make>
auto in_context(const std::string& place, Make make) {
  try {
    return make();
  } catch (Error& error) {
    error.add_context("while building " + place);
    throw;
  }
}

template <class Interface>
std::shared_ptr<Interface> make_part(const Value& spec,
                                     const char* key,
                                     Host& host,
                                     const typename Interface::Args& args) {
  return in_context(fmt::format("[model.{}]", key), [&] {
    return std::shared_ptr<Interface>(make<Interface>(host, spec.at(key), args));
  });
}

at::Tensor in_dtype(const at::Tensor& x, at::ScalarType dtype) {
  return dtype == at::ScalarType::Undefined ? x : x.to(dtype);
}

int64_t positive(const Value& spec, const char* key) {
  const int64_t value = spec.get(key, 0);
  MORTISE_CHECK(value > 0, "model.{} must be set before the model is built, got {}", key, value);
  return value;
}

}  // namespace

std::shared_ptr<LanguageModel> LanguageModel::build(const Value& spec,
                                                    Host& host,
                                                    const BuildContext& build) {
  std::shared_ptr<LanguageModel> model(new LanguageModel());
  model->vocab_ = positive(spec, "vocab");
  model->width_ = positive(spec, "width");
  model->max_seq_len_ = spec.get("max_seq_len", 0);
  BuildContext context = build;
  context.shared = &model->shared_;

  EmbeddingArgs embedding = {context, model->vocab_, model->width_};
  model->embedding_ = model->add_child("model.embed_tokens",
                                       make_part<Embedding>(spec, "embedding", host, embedding));
  model->build_layers(spec, host, context);
  context.num_layers = model->num_layers();
  model->norm_ =
      model->add_child("model.norm", make_part<Norm>(spec, "norm", host, {context, model->width_}));
  HeadArgs head = {context,
                   model->vocab_,
                   model->width_,
                   model->embedding_->weight(),
                   "model.embed_tokens.weight"};
  model->head_ = model->add_child("lm_head", make_part<Head>(spec, "head", host, head));
  return model;
}

void LanguageModel::build_layers(const Value& spec, Host& host, BuildContext context) {
  const std::vector<LayerTable> tables = layer_tables(spec);
  context.num_layers = 0;
  for (const LayerTable& table : tables) context.num_layers += table.repeat;
  for (const LayerTable& table : tables) {
    for (int64_t i = 0; i < table.repeat; ++i) {
      context.layer_index = num_layers();
      const LayerArgs args = {context, width_, spec.at("norm")};
      const std::string place =
          fmt::format("[model.layer.{}], layer {}", table.name, context.layer_index);
      layers_.push_back(in_context(
          place, [&] { return std::shared_ptr<Layer>(make<Layer>(host, table.config, args)); }));
      layer_tables_.push_back(table.name);
      add_child(fmt::format("model.layers.{}", context.layer_index), layers_.back());
    }
  }
}

void LanguageModel::check(const TokenBatch& batch) const {
  MORTISE_CHECK(batch.ids_BT.dim() == 2 && batch.positions_BT.sizes() == batch.ids_BT.sizes(),
                "ids and positions must be [B, T], got {} and {}",
                fmt::join(batch.ids_BT.sizes(), "×"),
                fmt::join(batch.positions_BT.sizes(), "×"));
  if (batch.ids_BT.numel() == 0 || batch.ids_BT.is_meta()) return;
  const auto [smallest, largest] = at::aminmax(batch.ids_BT);
  const int64_t low = smallest.item<int64_t>(), high = largest.item<int64_t>();
  if (low < 0 || high >= vocab_)
    throw DataError(
        fmt::format(
            "token id {} is outside the model's vocabulary of {}", low < 0 ? low : high, vocab_),
        "the tokenizer and the model do not belong together");
  if (max_seq_len_ == 0) return;
  const int64_t position = batch.positions_BT.max().item<int64_t>();
  if (position >= max_seq_len_)
    throw Error(Code::Usage,
                fmt::format("the sequence reaches {} tokens, and the model was made for {}",
                            position + 1,
                            max_seq_len_),
                "shorten the input or max_new_tokens; model.max_seq_len (max_position_embeddings "
                "in config.json) sets the limit");
}

BlockInput LanguageModel::stack_input(const TokenBatch& batch) {
  BlockInput in;
  in.x_BTD = embedding_->forward(batch.ids_BT, batch.positions_BT);
  if (is_training() && noise_alpha_ > 0) {
    const double bound =
        noise_alpha_ / std::sqrt(static_cast<double>(batch.ids_BT.size(1) * width_));
    in.x_BTD = in.x_BTD + at::empty_like(in.x_BTD).uniform_(-bound, bound);
  }
  in.positions_BT = batch.positions_BT;
  in.segments_BT = batch.segments_BT;
  in.offsets_S = batch.offsets_S;
  in.kinds_B = batch.kinds_B;
  in.cache = batch.cache;
  if (adapter_ != nullptr) adapter_->before_stack(in, batch.ids_BT);
  return in;
}

HiddenOutput LanguageModel::forward(const TokenBatch& batch) {
  check(batch);
  HiddenOutput out;
  BlockInput in = stack_input(batch);
  const int64_t num_tokens = in.x_BTD.size(1);
  for (size_t i = 0; i < layers_.size(); ++i) {
    BlockOutput block = run_unit(static_cast<int64_t>(i), in);
    in.x_BTD = std::move(block.x_BTD);
    const auto collect = [i](std::vector<NamedValue>& from, std::vector<NamedValue>& into) {
      for (NamedValue& value : from)
        into.push_back({fmt::format("model.layers.{}.{}", i, value.name), std::move(value.value)});
    };
    std::move(block.losses.begin(), block.losses.end(), std::back_inserter(out.losses));
    collect(block.stats, out.stats);
    collect(block.counts, out.counts);
  }
  if (batch.cache != nullptr) batch.cache->advance(num_tokens);
  if (adapter_ != nullptr) in.x_BTD = adapter_->after_stack(in.x_BTD);
  out.hidden_BTD = for_head(norm_->forward(in_dtype(in.x_BTD, norm_dtype_)));
  return out;
}

void LanguageModel::settle_dtypes(at::ScalarType standard) {
  const auto dtype_of = [](const Module& module, at::ScalarType otherwise) {
    const std::vector<NamedTensor> parameters = module.parameters();
    if (parameters.empty()) return otherwise;
    const at::ScalarType first = parameters.front().tensor.scalar_type();
    const bool is_one = std::all_of(parameters.begin(), parameters.end(), [&](const auto& p) {
      return p.tensor.scalar_type() == first;
    });
    return is_one ? first : otherwise;
  };
  layer_dtypes_.clear();
  for (const auto& layer : layers_) layer_dtypes_.push_back(dtype_of(*layer, standard));
  norm_dtype_ = dtype_of(*norm_, standard);
  head_dtype_ = dtype_of(*head_, dtype_of(*embedding_, standard));  // without its own: it is tied
}

void LanguageModel::take_dtypes(const LanguageModel& other) {
  const std::vector<NamedTensor> theirs = other.base_tensors();
  std::vector<NamedTensor> ours = base_tensors();
  for (size_t i = 0; i < ours.size(); ++i)
    if (const at::ScalarType dtype = theirs.at(i).tensor.scalar_type();
        ours[i].tensor.scalar_type() != dtype)
      ours[i].tensor.set_data(ours[i].tensor.detach().to(dtype));
  layer_dtypes_ = other.layer_dtypes_;
  norm_dtype_ = other.norm_dtype_;
  head_dtype_ = other.head_dtype_;
}

at::Tensor LanguageModel::for_head(const at::Tensor& hidden) const {
  return in_dtype(hidden, head_dtype_);
}

BlockOutput LanguageModel::run_unit(int64_t layer, BlockInput& in) {
  if (adapter_ != nullptr) adapter_->before_layer(layer, in);
  const auto i = static_cast<size_t>(layer);
  if (!layer_dtypes_.empty()) in.x_BTD = in_dtype(in.x_BTD, layer_dtypes_[i]);
  return is_training() && !training_units_.empty() ? training_units_[i](in)
                                                   : layers_[i]->forward(in);
}

void LanguageModel::attach(const std::function<std::shared_ptr<Adapter>(LanguageModel&)>& make) {
  MORTISE_CHECK(adapter_ == nullptr, "the model has an adapter already");
  for (const NamedTensor& tensor : tensors()) base_names_.insert(tensor.name);
  adapter_ = add_child("adapter", make(*this));
}

void LanguageModel::start_adapter_from(const at::Tensor& ids_1P) {
  const at::NoGradGuard no_grad;
  const bool was_training = is_training();
  train(false);
  const std::shared_ptr<Adapter> adapter = std::exchange(adapter_, nullptr);
  TokenBatch batch = plain_batch(ids_1P);
  KvCache cache(num_layers(), ids_1P.size(1));
  batch.cache = &cache;
  forward(batch);
  adapter_ = adapter;
  std::vector<std::pair<at::Tensor, at::Tensor>> kv;
  for (int64_t layer = 0; layer < num_layers(); ++layer) {
    const auto [k_1PGK, v_1PGK] = cache.view(layer);
    if (k_1PGK.defined())
      kv.emplace_back(k_1PGK.transpose(1, 2), v_1PGK.transpose(1, 2));
    else
      kv.emplace_back();
  }
  adapter->from_prompt(kv, embedding_->forward(ids_1P, batch.positions_BT).squeeze(0));
  train(was_training);
}

std::vector<NamedTensor> LanguageModel::base_tensors() const {
  std::vector<NamedTensor> all = tensors();
  if (adapter_ != nullptr)
    std::erase_if(all, [&](const NamedTensor& t) { return !is_base(t.name); });
  return all;
}

void LanguageModel::wrap_units(std::shared_ptr<Parallel> strategy) {
  if (training_units_.empty())
    for (const std::shared_ptr<Layer>& layer : layers_)
      training_units_.push_back(
          [unit = layer.get()](const BlockInput& in) { return unit->forward(in); });
  for (size_t i = 0; i < training_units_.size(); ++i)
    training_units_[i] = strategy->wrap(static_cast<int64_t>(i), std::move(training_units_[i]));
  strategies_.push_back(std::move(strategy));
}

std::vector<std::pair<std::string, Router*>> LanguageModel::routers() {
  std::vector<std::pair<std::string, Router*>> found;
  visit([&](const std::string& path, Module& module) {
    if (auto* router = dynamic_cast<Router*>(&module)) found.emplace_back(path, router);
  });
  return found;
}

std::vector<PartSize> count_parameters(const LanguageModel& model) {
  std::vector<PartSize> parts = {{"model.embedding", 1, 0}};
  for (int64_t i = 0; i < model.num_layers(); ++i) {
    const std::string part = "model.layer." + model.layer_table(i);
    if (parts.back().part == part)
      ++parts.back().units;
    else
      parts.push_back({part, 1, 0});
  }
  parts.push_back({"model.norm", 1, 0});
  parts.push_back({"model.head", 1, 0});
  if (model.has_adapter()) parts.push_back({"adapter", 1, 0});
  const auto part_of = [&](const std::string& name) -> std::string {
    if (name.starts_with("model.embed_tokens.")) return "model.embedding";
    if (name.starts_with("model.norm.")) return "model.norm";
    if (name.starts_with("lm_head.")) return "model.head";
    if (name.starts_with("adapter.")) return "adapter";
    return "model.layer." +
           model.layer_table(std::stoll(name.substr(std::string_view("model.layers.").size())));
  };
  for (const NamedTensor& parameter : model.parameters()) {
    const std::string part = part_of(parameter.name);
    std::find_if(parts.begin(), parts.end(), [&](const PartSize& size) {
      return size.part == part;
    })->parameters += parameter.tensor.numel();
  }
  return parts;
}

TokenBatch plain_batch(const at::Tensor& ids_BT) {
  TokenBatch batch;
  batch.ids_BT = ids_BT;
  batch.positions_BT =
      at::arange(ids_BT.size(1), at::TensorOptions().dtype(at::kLong).device(ids_BT.device()))
          .unsqueeze(0)
          .expand({ids_BT.size(0), -1});
  return batch;
}

}  // namespace mortise::core
