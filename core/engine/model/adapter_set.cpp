// Twins of the base that share its tensors.
#include "core/engine/model/adapter_set.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "mortise/error.hpp"
#include "mortise/names.hpp"

#include "core/engine/model/adapters.hpp"
#include "core/engine/verbs.hpp"

namespace mortise::core {

namespace {

constexpr const char *kBase = "none", *kUnnamed = "default";

/// "a=DIR" → {"a", "DIR"}; a path that only holds a `=` somewhere is no name.
std::pair<std::string, std::string> name_and_folder(const std::string& text) {
  const size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const bool is_name = equals != std::string::npos && !name.empty() &&
                       std::all_of(name.begin(), name.end(), [](unsigned char c) {
                         return std::isalnum(c) != 0 || c == '_' || c == '-';
                       });
  if (!is_name) return {kUnnamed, text};
  return {name, text.substr(equals + 1)};
}

/// Makes the tensors of `twin` those of `base`, which has the same specification.
void share_tensors(LanguageModel& twin, const LanguageModel& base) {
  const std::vector<NamedTensor> mine = twin.tensors(), theirs = base.tensors();
  MORTISE_ASSERT(mine.size() == theirs.size(), "a twin has other tensors than its base");
  for (size_t i = 0; i < mine.size(); ++i) {
    MORTISE_ASSERT(mine[i].name == theirs[i].name, "a twin has {}", mine[i].name);
    at::Tensor handle = mine[i].tensor;
    handle.set_data(theirs[i].tensor.detach());
  }
}

}  // namespace

AdapterSet::AdapterSet(const OpenedModel& base, Host& host, const Catalog& catalog)
    : base_(base), host_(host), catalog_(catalog) {}

void AdapterSet::load(const std::string& name, const std::string& directory) {
  MORTISE_CHECK(!name.empty() && name != kBase, "`{}` means the base, not an adapter", kBase);
  if (base_.model->has_adapter())
    throw Error(Code::Usage,
                fmt::format("{} has an adapter already: it cannot be put over {} as well",
                            base_.weights,
                            directory),
                base_.base.empty() ? "export it with merge_adapter = true, and load over the export"
                                   : fmt::format("load over its base: --model {}", base_.base));
  if (models_.contains(name))
    throw Error(Code::Usage,
                fmt::format("two adapters are called \"{}\"", name),
                "give each a name: --adapter NAME=DIR");
  const std::shared_ptr<LanguageModel> twin =
      build_empty(base_.spec, host_, base_.model->parameters().front().tensor.scalar_type());
  share_tensors(*twin, *base_.model);
  try {
    open_adapter(*twin, base_.spec, directory, host_, catalog_);
  } catch (Error& error) {
    error.add_context(fmt::format("while loading the adapter \"{}\"", name));
    throw;
  }
  models_.emplace(name, twin);
}

LanguageModel& AdapterSet::use(const std::string& name) const {
  if (name.empty()) return *base_.model;
  if (const auto found = models_.find(name); found != models_.end()) return *found->second;
  const std::string near = nearest(name, names());
  throw Error(Code::Usage,
              fmt::format("no adapter is called \"{}\"; there are: {}",
                          name,
                          models_.empty() ? "none" : fmt::format("{}", fmt::join(names(), ", "))),
              near.empty() ? "" : fmt::format("did you mean \"{}\"?", near));
}

std::vector<std::string> AdapterSet::names() const {
  std::vector<std::string> all;
  for (const auto& [name, model] : models_) all.push_back(name);
  return all;
}

LanguageModel& choose_adapter(AdapterSet& set, const Value& options) {
  const Value* given = options.find("adapter");
  if (given != nullptr && !(*given == Value("")))
    for (const std::string& text : texts_of(*given)) {
      const auto [name, folder] = name_and_folder(text);
      set.load(name, folder);
    }
  const std::string use = options.get("use", "");
  if (!use.empty()) return set.use(use == kBase ? "" : use);
  const std::vector<std::string> names = set.names();
  if (names.size() > 1)
    throw Error(
        Code::Usage,
        fmt::format(
            "{} adapters are loaded, and none is chosen: {}", names.size(), fmt::join(names, ", ")),
        fmt::format("--use {}, or --use {} for the base", names.front(), kBase));
  return set.use(names.empty() ? "" : names.front());
}

}  // namespace mortise::core
