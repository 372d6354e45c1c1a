// TOML text → Node.  The only place of the recipe engine that sees toml++.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/recipe/diagnostics.hpp"
#include "core/recipe/node.hpp"
#include "toml_scan.hpp"

namespace mortise::core {

/// Parses one file.  After a fault: reports it and returns an empty table.   Thread: [any-thread].
Node parse_toml(const std::shared_ptr<const SourceFile>& file, Diagnostics& diagnostics);

/// Reads `text` as a TOML value; nothing when it is none.  All parts get the origin.
std::optional<Node> parse_toml_value(std::string_view text, const Origin& origin);

}  // namespace mortise::core
