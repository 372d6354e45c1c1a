// Which parameter gets which dtype, and what no pattern may do.
#include "core/engine/model/precision.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/names.hpp"
#include "mortise/patterns.hpp"

#include "core/engine/model/open_model.hpp"

namespace mortise::core {

namespace {

/// The dtype of every parameter by name, those of tied names included.
class Choice {
 public:
  explicit Choice(const RunTable& run) : run_(run) {}

  at::ScalarType of(const std::string& parameter) const {
    const auto* entry = entry_of(parameter);
    return scalar_type_of(entry == nullptr ? run_.dtype : entry->second.dtype);
  }

  /// "lm_head.weight in fp32 (run.precision.head)"
  std::string text(const std::string& parameter) const {
    const auto* entry = entry_of(parameter);
    return fmt::format("{} in {} ({})",
                       parameter,
                       entry == nullptr ? run_.dtype : entry->second.dtype,
                       entry == nullptr ? "run.dtype" : "run.precision." + entry->first);
  }

 private:
  /// The first by name that matches; null: none, so run.dtype decides.
  const std::pair<const std::string, PrecisionKeys>* entry_of(const std::string& parameter) const {
    for (const auto& entry : run_.precision)
      if (matches(entry.second.match, parameter)) return &entry;
    return nullptr;
  }

  const RunTable& run_;
};

void check_ties(const LanguageModel& model, const Choice& choice) {
  for (const auto& [alias, owner] : model.ties())
    if (choice.of(alias) != choice.of(owner))
      throw Error(
          Code::Usage,
          fmt::format("a tied tensor has one dtype, and run.precision splits it: {}, {}",
                      choice.text(owner),
                      choice.text(alias)),
          fmt::format("give {} and {} one dtype, or model.head.tied = false", owner, alias));
}

void check_modules(const std::vector<NamedTensor>& parameters, const Choice& choice) {
  std::map<std::string, std::string> first;  // module → a parameter of it
  for (const NamedTensor& parameter : parameters) {
    const std::string module = parameter.name.substr(0, parameter.name.rfind('.'));
    const std::string& other = first.emplace(module, parameter.name).first->second;
    if (choice.of(other) != choice.of(parameter.name))
      throw Error(Code::Usage,
                  fmt::format("a module computes in one dtype, and run.precision splits {}: {}, {}",
                              module,
                              choice.text(other),
                              choice.text(parameter.name)),
                  fmt::format("match all of it: \"{}.*\"", module));
  }
}

}  // namespace

void apply_precision(LanguageModel& model, const RunTable& run, bool is_whole) {
  if (run.precision.empty()) return;
  const Choice choice(run);
  std::vector<NamedTensor> parameters = model.parameters();
  if (is_whole) {
    std::vector<std::pair<std::string, std::string>> patterns;
    for (const auto& [name, keys] : run.precision) patterns.emplace_back(name, keys.match);
    std::vector<std::string> names;
    for (const NamedTensor& parameter : parameters) names.push_back(parameter.name);
    for (const auto& [alias, owner] : model.ties()) names.push_back(alias);
    check_patterns("run.precision", patterns, names);
    check_ties(model, choice);
    check_modules(parameters, choice);
  }
  for (NamedTensor& parameter : parameters)
    if (const at::ScalarType dtype = choice.of(parameter.name);
        dtype != parameter.tensor.scalar_type())
      parameter.tensor.set_data(parameter.tensor.detach().to(dtype));
  model.settle_dtypes(scalar_type_of(run.dtype));
}

}  // namespace mortise::core
