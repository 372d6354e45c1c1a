// @NAME@: config.json ↔ [model] of a model whose parameters are named as ours; "width" and "layers" is all it says.
#include <mortise/architecture.hpp>
#include <mortise/error.hpp>
#include <mortise/plugin.hpp>

struct @CLASS@ final : mortise::Architecture {
  bool recognises(const mortise::Value& config) const override {
    const mortise::Value* type = config.find("model_type");
    return type != nullptr && type->is_string() && type->as_string() == "@NAME@";
  }
  mortise::Value to_spec(const mortise::Value& config) const override {
    const auto integer = [&](const char* key) {
      const mortise::Value* value = config.find(key);
      if (value == nullptr || !value->is_int()) throw mortise::DataError(fmt::format("config.json: {} must be an integer", key));
      return value->as_int();
    };
    mortise::Value spec;
    spec["vocab"] = integer("vocab_size");
    spec["width"] = integer("width");
    spec["layer"]["dense"]["type"] = "prenorm";
    spec["layer"]["dense"]["repeat"] = integer("layers");
    return spec;
  }
  mortise::Value to_hf(const mortise::Value& spec) const override {
    mortise::Value config;
    config["model_type"] = "@NAME@";
    config["vocab_size"] = spec.at("vocab");
    config["width"] = spec.at("width");
    config["layers"] = spec.at("layer").at("dense").at("repeat");
    return config;
  }
  std::vector<mortise::TensorRule> names(const mortise::Value&) const override {
    const char* name = "model.embed_tokens.weight";
    return {{.ours = name, .op = mortise::TensorRule::Op::Rename, .theirs = {name}}};
  }
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "reads and writes config.json of @NAME@ models"));
