// The projections of a model, and the patterns that mean some of them.
#include "mortise/torch/adapter_tools.hpp"

#include <algorithm>
#include <regex>

#include <ATen/ATen.h>

#include "mortise/error.hpp"

namespace mortise {

namespace {

std::regex compiled(const std::string& text) {
  try {
    return std::regex(text, std::regex::ECMAScript);
  } catch (const std::regex_error& error) {
    throw DataError(
        fmt::format("adapter_config.json: \"{}\" is no regular expression that is understood: {}",
                    text,
                    error.what()));
  }
}

}  // namespace

std::vector<Projection> projections(Module& model) {
  std::vector<Projection> all;
  model.visit([&](const std::string& path, Module& module) {
    if (auto* linear = dynamic_cast<Linear*>(&module)) all.push_back({path, linear, nullptr});
    if (auto* grouped = dynamic_cast<GroupedLinear*>(&module))
      all.push_back({path, nullptr, grouped});
  });
  return all;
}

std::vector<Projection> targeted(const std::vector<Projection>& all,
                                 const std::vector<std::string>& patterns,
                                 bool check) {
  std::vector<std::string> paths;
  for (const Projection& projection : all) paths.push_back(projection.path);
  if (check) check_targets(patterns, paths);
  std::vector<Projection> chosen;
  for (const Projection& projection : all)
    if (std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
          return is_target(pattern, projection.path);
        }))
      chosen.push_back(projection);
  return chosen;
}

std::vector<Projection> peft_targeted(const std::vector<Projection>& all,
                                      const Value& target_modules) {
  std::vector<Projection> chosen;
  for (const Projection& projection : all) {
    const std::string path = peft_path(projection, 0);
    bool meant = false;
    if (target_modules.is_string())
      meant = std::regex_match(path, compiled(target_modules.as_string()));
    else
      for (const Value& target : target_modules.as_array())
        meant = meant || path == target.as_string() || path.ends_with("." + target.as_string());
    if (meant) chosen.push_back(projection);
  }
  return chosen;
}

const Value* peft_pattern(const Value& patterns, const std::string& path) {
  if (!patterns.is_table()) return nullptr;
  for (const auto& [key, value] : patterns.as_table())
    if (std::regex_match(path, compiled("(.*\\.)?(" + key + ")"))) return &value;
  return nullptr;
}

std::string peft_path(const Projection& projection, int64_t expert) {
  if (projection.grouped == nullptr) return projection.path;
  const size_t dot = projection.path.rfind('.') + 1;
  return fmt::format(
      "{}{}.{}", projection.path.substr(0, dot), expert, projection.path.substr(dot));
}

Value peft_targets(const std::vector<std::string>& patterns,
                   const std::vector<Projection>& chosen) {
  Value out = Value::array();
  const bool has_star =
      std::any_of(patterns.begin(), patterns.end(), [](const std::string& pattern) {
        return pattern.find('*') != std::string::npos;
      });
  if (!has_star && !patterns.empty()) {
    for (const std::string& pattern : patterns) out.as_array().emplace_back(pattern);
    return out;
  }
  for (const Projection& projection : chosen)
    for (int64_t expert = 0; expert < projection.num_experts(); ++expert)
      out.as_array().emplace_back(peft_path(projection, expert));
  return out;
}

Value peft_config(std::string_view type, const std::string& base) {
  Value config = Value::table();
  config["peft_type"] = type;
  config["task_type"] = "CAUSAL_LM";
  config["base_model_name_or_path"] = base.empty() ? Value() : Value(base);
  config["inference_mode"] = true;
  return config;
}

void refuse_set_keys(const Value& file, std::initializer_list<std::string_view> keys) {
  const auto is_off = [](const Value& value) {
    return value.is_null() || (value.is_bool() && !value.as_bool()) ||
           (value.is_table() && value.as_table().empty()) ||
           (value.is_array() && value.as_array().empty()) ||
           (value.is_string() && value.as_string() == "none");
  };
  for (const std::string_view key : keys)
    if (const Value* value = file.find(key); value != nullptr && !is_off(*value))
      throw DataError(fmt::format("adapter_config.json: `{}` is set, which is not supported", key),
                      "merge this adapter with peft and train a new one on the result");
}

void freeze(Module& module) {
  for (NamedTensor& tensor : module.parameters()) tensor.tensor.set_requires_grad(false);
}

}  // namespace mortise
