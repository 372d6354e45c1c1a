// Low-rank adaptation: W stays as it is, and beside each chosen projection two thin matrices are
// trained: y = W·x + s·B·A·x with s = alpha/rank, or alpha/√rank (rsLoRA).  A starts as a linear
// layer does, B at zero, so training starts from the base model.
//
// Sources: Hu et al., arXiv:2106.09685; Kalajdzievski, "rsLoRA", arXiv:2312.03732; Liu et al.,
// "DoRA", arXiv:2402.09353; Hayou et al., "LoRA+", arXiv:2402.12354 (a higher rate for B: a group
// of the optimizer).  Names and layout of the file: peft 0.21.
#include "lora.hpp"

#include <cmath>

#include <ATen/ATen.h>

#include "mortise/error.hpp"
#include "mortise/plugin.hpp"

namespace mortise::adapter::lora {

namespace {

void check_supported(const Value& file) {
  refuse_set_keys(file,
                  {"bias",
                   "lora_bias",
                   "fan_in_fan_out",
                   "modules_to_save",
                   "target_parameters",
                   "trainable_token_indices",
                   "layer_replication",
                   "use_qalora",
                   "alora_invocation_tokens",
                   "layers_to_transform",
                   "exclude_modules"});
  const Value* init = file.find("init_lora_weights");
  if (init != nullptr && init->is_string() && init->as_string() != "gaussian")
    throw DataError(
        fmt::format("adapter_config.json: init_lora_weights \"{}\" may have changed the "
                    "base weights",
                    init->as_string()),
        "convert it with peft (save_pretrained with path_initial_model_for_weight_conversion)");
}

}  // namespace

Lora::Lora(Config config, const AdapterArgs& args) : config_(std::move(config)), file_(args.file) {
  MORTISE_CHECK(args.model != nullptr, "an adapter needs a model");
  if (!file_.is_null()) read(file_);
  freeze(*args.model);
  choose(args);
}

void Lora::read(const Value& file) {
  check_supported(file);
  const Config standard;
  take_from_file("rank", config_.rank, file.get("r", int64_t{8}), standard.rank);
  take_from_file("alpha", config_.alpha, file.get("lora_alpha", 8.0), standard.alpha);
  take_from_file("rslora", config_.rslora, file.get("use_rslora", false), standard.rslora);
  take_from_file("use_dora", config_.use_dora, file.get("use_dora", false), standard.use_dora);
}

void Lora::choose(const AdapterArgs& args) {
  const std::vector<Projection> all = projections(*args.model);
  if (!file_.is_null()) {
    const Value* targets = file_.find("target_modules");
    MORTISE_CHECK(targets != nullptr && !targets->is_null(),
                  "adapter_config.json has no target_modules");
    for (const Projection& projection : peft_targeted(all, *targets)) wrap(projection, args.build);
    if (parts_.empty() && !args.is_sample)
      throw DataError("the target_modules of adapter_config.json match nothing in this model",
                      "use the base that the adapter was trained on");
    return;
  }
  const std::vector<Projection> chosen = targeted(all, config_.targets, !args.is_sample);
  std::vector<std::string> patterns, paths;
  for (const auto& [pattern, rank] : config_.rank_pattern) patterns.push_back(pattern);
  for (const auto& [pattern, alpha] : config_.alpha_pattern) patterns.push_back(pattern);
  for (const Projection& projection : chosen) paths.push_back(projection.path);
  if (!args.is_sample) check_targets(patterns, paths);
  for (const Projection& projection : chosen) wrap(projection, args.build);
}

void Lora::wrap(const Projection& projection, const BuildContext& build) {
  Part part = {projection, nullptr, config_.rank, config_.alpha};
  if (file_.is_null()) {
    if (const int64_t* rank = longest_match(config_.rank_pattern, projection.path))
      part.rank = *rank;
    if (const double* alpha = longest_match(config_.alpha_pattern, projection.path))
      part.alpha = *alpha;
  } else {
    const std::string path = peft_path(projection, 0);
    const auto pattern = [&](const char* key) -> const Value* {
      const Value* patterns = file_.find(key);
      return patterns == nullptr ? nullptr : peft_pattern(*patterns, path);
    };
    if (const Value* rank = pattern("rank_pattern")) part.rank = rank->as_int();
    if (const Value* alpha = pattern("alpha_pattern")) part.alpha = alpha->as_float();
  }
  MORTISE_CHECK(
      part.rank > 0, "adapter.rank must be at least 1, got {} for {}", part.rank, projection.path);
  const auto rank = static_cast<double>(part.rank);
  const Options options = {part.rank,
                           part.alpha / (config_.rslora ? std::sqrt(rank) : rank),
                           config_.dropout,
                           config_.use_dora,
                           config_.init == "gaussian"};
  if (projection.linear != nullptr) {
    const auto op = std::make_shared<LoraOp>(build, *projection.linear, options);
    projection.linear->wrap("lora", op);
    part.factors = &op->factors();
  } else {
    const auto op = std::make_shared<GroupedLoraOp>(build, *projection.grouped, options);
    projection.grouped->wrap("lora", op);
    part.factors = &op->factors();
  }
  parts_.push_back(std::move(part));
}

void Lora::weights_loaded() {
  for (Part& part : parts_) {
    const at::Tensor& weight = part.projection.weight();
    part.factors->start(weight.dim() == 2 ? weight.unsqueeze(0) : weight);
  }
}

void Lora::merge() {
  for (Part& part : parts_) {
    const at::Tensor weight = part.projection.weight().detach();
    part.factors->merge(weight.dim() == 2 ? weight.unsqueeze(0) : weight);
  }
}

std::vector<AdapterTensor> Lora::file_tensors() {
  std::vector<AdapterTensor> tensors;
  for (const Part& part : parts_)
    for (int64_t e = 0; e < part.projection.num_experts(); ++e) {
      const std::string path = "base_model.model." + peft_path(part.projection, e);
      tensors.push_back({path + ".lora_A.weight", part.factors->a(e)});
      tensors.push_back({path + ".lora_B.weight", part.factors->b(e)});
      if (config_.use_dora)
        tensors.push_back({path + ".lora_magnitude_vector", part.factors->magnitude(e)});
    }
  return tensors;
}

Value Lora::file_config(const std::string& base) const {
  Value config = peft_config("LORA", base);
  config["r"] = config_.rank;
  config["lora_alpha"] = config_.alpha;
  config["lora_dropout"] = config_.dropout;
  config["use_rslora"] = config_.rslora;
  config["use_dora"] = config_.use_dora;
  config["bias"] = "none";
  config["fan_in_fan_out"] = false;
  config["init_lora_weights"] = true;
  std::vector<Projection> chosen;
  config["rank_pattern"] = Value::table();
  config["alpha_pattern"] = Value::table();
  for (const Part& part : parts_) {
    chosen.push_back(part.projection);
    for (int64_t e = 0; e < part.projection.num_experts(); ++e) {
      const std::string path = peft_path(part.projection, e);
      if (part.rank != config_.rank) config["rank_pattern"][path] = part.rank;
      if (part.alpha != config_.alpha) config["alpha_pattern"][path] = part.alpha;
    }
  }
  config["target_modules"] =
      peft_targets(file_.is_null() ? config_.targets : std::vector<std::string>(), chosen);
  return config;
}

void Lora::Config::describe(Schema<Config>& schema) {
  schema.field("rank", &Config::rank, "width of the two thin matrices").min(1).max(65536);
  schema.field("alpha", &Config::alpha, "the update is scaled by alpha / rank").above(0);
  schema.field("dropout", &Config::dropout, "of the input of the update, while training")
      .range(0, 0.99);
  schema.field("rslora", &Config::rslora, "scale by alpha / √rank instead: stable at high ranks");
  schema.field("use_dora",
               &Config::use_dora,
               "trains the length of each output row apart from its direction (DoRA)");
  schema.field("init", &Config::init, "how A starts; B starts at zero")
      .one_of({"kaiming", "gaussian"});
  schema.field("targets",
               &Config::targets,
               "projections by last name (\"q_proj\") or by a pattern on whole paths");
  schema.field("rank_pattern",
               &Config::rank_pattern,
               "other ranks by pattern; the longest pattern that matches wins");
  schema.field("alpha_pattern", &Config::alpha_pattern, "other alphas by pattern, as rank_pattern");
  schema.provides("merge");
  schema.provides("peft_lora");
}

}  // namespace mortise::adapter::lora

MORTISE_PLUGIN("org.mortise.adapter.lora",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::adapter::lora::Lora>(
                   "lora", "two thin matrices beside each chosen projection; the base is frozen"));
