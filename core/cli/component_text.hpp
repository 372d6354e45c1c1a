// A component as the table in which it stands: for `inspect` on a terminal and for the Markdown
// reference.
#pragma once

#include <string>
#include <string_view>

#include "core/plugin/catalog.hpp"
#include "parameter_text.hpp"

namespace mortise::core {

/// The recipe table in which a component of this kind stands: "eval.rouge", "optimizer",
/// "model.layer.NAME.attention".
std::string example_path(std::string_view kind, std::string_view name);
/// The component's recipe table with its defaults; required parameters stand as comments.
std::string example_table(const ComponentEntry& entry);

}  // namespace mortise::core
