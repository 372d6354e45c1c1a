// Several adapters over one base: loaded once, chosen by name.
//
// Each adapter has a tree of modules of its own, whose base tensors are those of the one base: a
// further adapter costs its own parameters and nothing else.  Choosing one changes no state, so
// nothing of one adapter can stay behind in another, and models of different names may run at the
// same time.  What PEFT does by set_adapter() and disable_adapter() is use(name) and use("").
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/engine/model/open_model.hpp"

namespace mortise::core {

/// Thread: [main-thread] for all but the models.   Lifetime: what it was made from outlives it.
class AdapterSet {
 public:
  AdapterSet(const OpenedModel& base, Host& host, const Catalog& catalog);

  /// Reads an adapter from a folder in PEFT's layout.  Throws: Error when the name is taken or the
  /// model already has an adapter of its own; DataError when the folder does not fit the base.
  void load(const std::string& name, const std::string& directory);

  /// The model with that adapter, or the base itself when `name` is empty: not training.  Throws:
  /// Error listing the names that are there.   Lifetime: as long as this.
  LanguageModel& use(const std::string& name) const;

  std::vector<std::string> names() const;

 private:
  const OpenedModel& base_;
  Host& host_;
  const Catalog& catalog_;
  std::map<std::string, std::shared_ptr<LanguageModel>> models_;
};

/// Loads what a verb's option `adapter` lists ("DIR", or "NAME=DIR" as often as wanted) and returns
/// the model that `use` names: "none" is the base, and one alone needs no `use`.  Throws: Error.
LanguageModel& choose_adapter(AdapterSet& set, const Value& options);

}  // namespace mortise::core
