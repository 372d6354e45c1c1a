// `mortise init`: a recipe that validates, with every parameter written out, explained, and
// commented where it is a default.
#pragma once

#include <string>
#include <string_view>

#include "core/plugin/catalog.hpp"

namespace mortise::core {

/// `task` is train, evaluate or pipeline.  Throws: Error{Usage} on another one, PluginError when a
/// kind that the task needs has no component at all.   Thread: [main-thread].
std::string starter_recipe(std::string_view task, const Catalog& catalog);

}  // namespace mortise::core
