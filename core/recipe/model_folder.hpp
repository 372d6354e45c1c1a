// A Hugging Face folder as a [model] table, through whichever architecture plugin recognises its
// config.json.
#pragma once

#include <string>

#include "mortise/host.hpp"
#include "mortise/value.hpp"

#include "core/plugin/catalog.hpp"

namespace mortise::core {

struct ModelFolder {
  std::string architecture;  // the component that recognised it
  Value spec;                // the [model] table; hand it to ResolveOptions::model_spec
};

/// Throws: DataError when config.json is absent or broken, PluginError when no architecture knows
/// it.   Thread: [main-thread].
ModelFolder read_model_folder(const std::string& folder, const Catalog& catalog, Host& host);

}  // namespace mortise::core
