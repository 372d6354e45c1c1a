// Sources: transformers' configuration_utils.py and modeling_rope_utils.py (5.x).
#include "mortise/hf_config.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "mortise/error.hpp"
#include "mortise/log.hpp"

namespace mortise {

namespace {

/// Keys of every family without influence on the numbers of a forward pass.
constexpr std::array<std::string_view, 22> kNeutralKeys = {"_attn_implementation",
                                                           "_name_or_path",
                                                           "architectures",
                                                           "auto_map",
                                                           "bos_token_id",
                                                           "classifier_dropout",
                                                           "dtype",
                                                           "eos_token_id",
                                                           "id2label",
                                                           "is_decoder",
                                                           "is_encoder_decoder",
                                                           "label2id",
                                                           "model_type",
                                                           "output_attentions",
                                                           "output_hidden_states",
                                                           "pad_token_id",
                                                           "return_dict",
                                                           "tokenizer_class",
                                                           "torch_dtype",
                                                           "transformers_version",
                                                           "unk_token_id",
                                                           "use_cache"};

constexpr std::string_view kScalings =
    "\"default\", \"linear\", \"dynamic\", \"llama3\" and \"yarn\"";

double yarn_mscale(double factor, double mscale) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

}  // namespace

const Value* present(const Value& table, std::string_view key) {
  const Value* value = table.find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

int64_t present_int(const Value& table, std::string_view key, int64_t otherwise) {
  const Value* value = present(table, key);
  return value == nullptr ? otherwise : value->as_int();
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

HfConfig::HfConfig(const Value& config, std::string reader, std::string place)
    : config_(config), reader_(std::move(reader)), place_(std::move(place)) {}

const Value* HfConfig::find(std::string_view key) {
  read_.emplace(key);
  return present(config_, key);
}

bool HfConfig::has_null(std::string_view key) const {
  const Value* value = config_.find(key);
  return value != nullptr && value->is_null();
}

int64_t HfConfig::positive(std::string_view key) {
  const Value* value = find(key);
  if (value == nullptr)
    throw DataError(fmt::format("config.json has no `{}{}`", place_, key),
                    fmt::format("the folder is no complete {} model", reader_));
  if (!value->is_int() || value->as_int() <= 0)
    throw DataError(fmt::format(
        "config.json: `{}{}` must be a positive integer, got {}", place_, key, text_of(*value)));
  return value->as_int();
}

int64_t HfConfig::positive(std::string_view key, int64_t otherwise) {
  return find(key) == nullptr ? otherwise : positive(key);
}

int64_t HfConfig::divisor(std::string_view key, std::string_view of, int64_t whole) {
  const int64_t found = positive(key);
  if (whole % found != 0)
    refuse(key, std::to_string(found), fmt::format("divisors of {}, {}", of, whole));
  return found;
}

double HfConfig::number(std::string_view key, double otherwise) {
  const Value* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_number())
    throw DataError(
        fmt::format("config.json: `{}{}` must be a number, got {}", place_, key, text_of(*value)));
  return value->as_float();
}

bool HfConfig::flag(std::string_view key, bool otherwise) {
  const Value* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_bool())
    throw DataError(fmt::format(
        "config.json: `{}{}` must be true or false, got {}", place_, key, text_of(*value)));
  return value->as_bool();
}

std::string HfConfig::text(std::string_view key, const std::string& otherwise) {
  const Value* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_string())
    throw DataError(
        fmt::format("config.json: `{}{}` must be a string, got {}", place_, key, text_of(*value)));
  return value->as_string();
}

std::string HfConfig::gelu_form(std::string_view key, const std::string& otherwise) {
  const std::string name = text(key, otherwise);
  if (name == "gelu") return "exact";
  if (name != "gelu_new" && name != "gelu_fast" && name != "gelu_pytorch_tanh")
    refuse(
        key, '"' + name + '"', "\"gelu\", \"gelu_new\", \"gelu_fast\" and \"gelu_pytorch_tanh\"");
  return "tanh";
}

void HfConfig::refuse(std::string_view key,
                      const std::string& found,
                      const std::string& wanted) const {
  throw DataError(
      fmt::format(
          "config.json: `{}{}` is {}, and {} knows only {}", place_, key, found, reader_, wanted),
      "the model needs another architecture component; `mortise inspect architecture` lists those "
      "there are");
}

void HfConfig::only(std::string_view key, const Value& neutral) {
  const Value* value = find(key);
  if (value == nullptr || *value == neutral) return;
  if (value->is_number() && neutral.is_number() && value->as_float() == neutral.as_float()) return;
  refuse(key, text_of(*value), neutral.is_null() ? "null" : text_of(neutral));
}

void HfConfig::ignore(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) read_.emplace(key);
}

void HfConfig::warn_of_dropout(std::initializer_list<std::string_view> keys) {
  std::string found;
  for (const std::string_view key : keys)
    if (number(key, 0) != 0) found += fmt::format("{}{}", found.empty() ? "" : ", ", key);
  if (!found.empty())
    log::warn("config.json asks for dropout, and {} models train without: {}", reader_, found);
}

void HfConfig::warn_of_unread() const {
  std::string unread;
  for (const auto& [key, value] : config_.as_table())
    if (!read_.contains(key) &&
        std::find(kNeutralKeys.begin(), kNeutralKeys.end(), key) == kNeutralKeys.end())
      unread += (unread.empty() ? "" : ", ") + key;
  if (!unread.empty())
    log::warn("config.json has keys that {} does not know and ignores: {}", reader_, unread);
}

Value HfConfig::rope(const RopeKeys& keys, int64_t longest) {
  ignore({"rope_theta"});  // some files hold it beside a family's own key
  const Value* scaling_v4 = find("rope_scaling");
  const Value* parameters_v5 = find("rope_parameters");
  const char* where = scaling_v4 != nullptr ? "rope_scaling." : "rope_parameters.";
  const Value* table = scaling_v4 != nullptr ? scaling_v4 : parameters_v5;
  if (table != nullptr && !table->is_table())
    throw DataError(fmt::format("config.json: `{}` must be a table, got {}",
                                scaling_v4 != nullptr ? "rope_scaling" : "rope_parameters",
                                text_of(*table)));
  const Value none = Value::table();
  HfConfig parameters(table == nullptr ? none : *table, reader_, where);
  Value rope = Value::table();
  rope["theta"] = parameters.number("rope_theta", number(keys.theta, 10000));
  if (keys.fraction.empty()) {
    only("partial_rotary_factor", 1);
    parameters.only("partial_rotary_factor", 1);
  } else {
    rope["fraction"] =
        parameters.number("partial_rotary_factor", number(keys.fraction, keys.default_fraction));
  }
  rope["scaling"] = scaling(parameters, longest);
  return rope;
}

Value HfConfig::rope_position(const RopeKeys& keys, int64_t longest) {
  Value position = Value::table();
  position["type"] = "rope";
  const Value parameters = rope(keys, longest);
  for (const auto& [key, value] : parameters.as_table()) position[key] = value;
  return position;
}

Value HfConfig::scaling(HfConfig& parameters, int64_t longest) const {
  const std::string type = parameters.text("rope_type", parameters.text("type", "default"));
  Value spec = Value::table();
  spec["type"] = type;
  if (type == "default") return spec;
  if (type != "linear" && type != "dynamic" && type != "llama3" && type != "yarn")
    parameters.refuse("rope_type", '"' + type + '"', std::string(kScalings));
  if (type != "linear" && type != "dynamic")
    spec["original_max_position"] =
        parameters.positive("original_max_position_embeddings", longest);
  if (type == "dynamic") spec["original_max_position"] = longest;
  if (parameters.find("factor") == nullptr && type != "yarn")
    throw DataError(fmt::format("config.json: `{}` of type \"{}\" has no `factor`",
                                parameters.place_.substr(0, parameters.place_.size() - 1),
                                type));
  spec["factor"] = parameters.number(
      "factor",
      static_cast<double>(longest) / spec.get("original_max_position", static_cast<double>(1)));
  if (type == "llama3") {
    spec["low_freq_factor"] = parameters.number("low_freq_factor", 1);
    spec["high_freq_factor"] = parameters.number("high_freq_factor", 4);
  }
  if (type != "yarn") return spec;
  spec["beta_fast"] = parameters.number("beta_fast", 32);
  spec["beta_slow"] = parameters.number("beta_slow", 1);
  spec["truncate"] = parameters.flag("truncate", true);
  const double factor = spec.at("factor").as_float(), mscale = parameters.number("mscale", 0),
               mscale_all = parameters.number("mscale_all_dim", 0);
  const double computed = mscale != 0 && mscale_all != 0
                              ? yarn_mscale(factor, mscale) / yarn_mscale(factor, mscale_all)
                              : yarn_mscale(factor, 1);
  spec["attention_factor"] = parameters.number("attention_factor", computed);
  return spec;
}

int64_t reach_of_rope(const Value& rope, int64_t longest) {
  const Value& scaling = rope.at("scaling");
  const std::string type = scaling.get("type", "default");
  if (type != "dynamic" && type != "yarn") return longest;
  const double original = static_cast<double>(scaling.at("original_max_position").as_int());
  return std::max(longest, static_cast<int64_t>(original * scaling.at("factor").as_float()));
}

void SpecReader::refuse(const std::string& path,
                        const std::string& found,
                        std::string_view wanted) const {
  throw Error(Code::Usage,
              fmt::format("a {} folder cannot express {}: got {}, and it knows only {}",
                          writer_,
                          path,
                          found,
                          wanted),
              "export with another architecture, change the model, or leave the export out (type = "
              "\"none\")");
}

std::vector<const Value*> SpecReader::layers() const {
  std::vector<const Value*> tables;
  if (const Value* layer = present(spec_, "layer"); layer != nullptr)
    for (const auto& [name, table] : layer->as_table()) tables.push_back(&table);
  std::stable_sort(tables.begin(), tables.end(), [](const Value* a, const Value* b) {
    return a->get("order", 1) < b->get("order", 1);
  });
  std::vector<const Value*> layers;
  for (const Value* table : tables)
    for (int64_t i = 0; i < table->get("repeat", 1); ++i) layers.push_back(table);
  if (layers.empty()) refuse("model.layer", "none", "one kind, repeated");
  return layers;
}

const Value& SpecReader::typed(const Value& table,
                               std::string_view key,
                               std::string_view type) const {
  const Value* part = present(table, key);
  const std::string path = fmt::format("{}{}", &table == &spec_ ? "model." : "model.layer.*.", key);
  if (part == nullptr) refuse(path, "none", fmt::format("\"{}\"", type));
  const std::string found = part->get("type", "");
  if (found != type) refuse(path + ".type", '"' + found + '"', fmt::format("\"{}\"", type));
  return *part;
}

void SpecReader::same_in_all(std::string_view key) const {
  const std::vector<const Value*> all = layers();
  const Value* first = present(*all.front(), key);
  for (const Value* layer : all) {
    const Value* own = present(*layer, key);
    if ((own == nullptr) != (first == nullptr) || (own != nullptr && !(*own == *first)))
      refuse("model.layer",
             fmt::format("layers of several kinds (`{}` differs)", key),
             "one kind, repeated");
  }
}

const Value& SpecReader::one_kind(std::initializer_list<std::string_view> types,
                                  std::initializer_list<std::string_view> keys) const {
  for (const std::string_view key : keys) same_in_all(key);
  const Value& layer = *layers().front();
  const std::string type = layer.get("type", "");
  if (std::find(types.begin(), types.end(), type) == types.end())
    refuse("model.layer.*.type",
           '"' + type + '"',
           fmt::format("\"{}\"", fmt::join(types.begin(), types.end(), "\" and \"")));
  const Value *own = present(layer, "norm"), *shared = present(spec_, "norm");
  if (own != nullptr && (shared == nullptr || !(*own == *shared)))
    refuse("model.layer.*.norm", "another norm than model.norm", "one norm for all");
  return layer;
}

void SpecReader::want_flag(const std::string& path,
                           const Value& part,
                           std::string_view key,
                           bool otherwise,
                           bool wanted) const {
  if (part.get(key, otherwise) != wanted)
    refuse(fmt::format("{}.{}", path, key), wanted ? "false" : "true", wanted ? "true" : "false");
}

void SpecReader::want_plain_embedding() const {
  if (present(typed(spec_, "embedding", "token"), "position") != nullptr)
    refuse("model.embedding.position", "one", "none");
}

void SpecReader::want_plain_heads(const Value& attention) const {
  const std::string path = "model.layer.*.attention.";
  const int64_t heads = attention.at("heads").as_int(), width = spec_.at("width").as_int();
  if (const Value* kv = present(attention, "kv_heads"); kv != nullptr && kv->as_int() != heads)
    refuse(path + "kv_heads", text_of(*kv), "as many as heads");
  if (const Value* dim = present(attention, "head_dim");
      dim != nullptr && dim->as_int() * heads != width)
    refuse(path + "head_dim", text_of(*dim), "width / heads");
  for (const char* key : {"qk_norm", "sliding_window"})
    if (present(attention, key) != nullptr) refuse(path + key, "one", "none");
}

double SpecReader::init_std() const {
  const Value* init = present(spec_, "init");
  return init == nullptr ? 0.02 : init->get("std", 0.02);
}

void SpecReader::write_position(const Value& attention, const RopeKeys& keys, Value& config) const {
  const Value* position = present(attention, "position");
  const std::string type = position == nullptr ? "rope" : position->get("type", "");
  if (type != "rope") refuse("model.layer.*.attention.position.type", '"' + type + '"', "\"rope\"");
  write_rope(position == nullptr ? Value::table() : *position, keys, config);
}

void SpecReader::write_rope(const Value& position, const RopeKeys& keys, Value& config) const {
  config[keys.theta] = position.get("theta", 10000.0);
  const double fraction = position.get("fraction", 1.0);
  if (!keys.fraction.empty())
    config[keys.fraction] = fraction;
  else if (fraction != 1)
    refuse("model.layer.*.attention.position.fraction", fmt::format("{}", fraction), "1");
  Value& out = config["rope_scaling"];
  const Value* scaling = present(position, "scaling");
  const std::string type = scaling == nullptr ? "default" : scaling->get("type", "default");
  if (type == "default") return;
  out["rope_type"] = type;
  out["factor"] = scaling->get("factor", 1.0);
  const int64_t original = scaling->get("original_max_position", 8192);
  if (type == "dynamic") {
    config["max_position_embeddings"] = original;
  } else if (type == "llama3") {
    out["low_freq_factor"] = scaling->get("low_freq_factor", 1.0);
    out["high_freq_factor"] = scaling->get("high_freq_factor", 4.0);
    out["original_max_position_embeddings"] = original;
  } else if (type == "yarn") {
    out["original_max_position_embeddings"] = original;
    out["beta_fast"] = scaling->get("beta_fast", 32.0);
    out["beta_slow"] = scaling->get("beta_slow", 1.0);
    out["truncate"] = scaling->get("truncate", true);
    if (const Value* factor = present(*scaling, "attention_factor"); factor != nullptr)
      out["attention_factor"] = *factor;
  } else if (type != "linear") {
    refuse("model.layer.*.attention.position.scaling.type", '"' + type + '"', kScalings);
  }
}

}  // namespace mortise
