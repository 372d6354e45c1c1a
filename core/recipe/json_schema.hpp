// JSON Schema of recipes for editors: keys, types, ranges, documentation of core and of all
// installed components.
#pragma once

#include <string_view>

#include "mortise/value.hpp"

#include "core/plugin/catalog.hpp"

namespace mortise::core {

/// Draft 2020-12, of a whole recipe.   Thread: [main-thread].
Value recipe_schema(const Catalog& catalog);
/// Of one slot ("optimizer", "data.train", "model.layer") or core table ("run").  Throws:
/// Error{Usage} listing what there is.
Value slot_schema(const Catalog& catalog, std::string_view path);

}  // namespace mortise::core
