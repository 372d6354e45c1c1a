// plugin.toml as structs.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/plugin/catalog.hpp"
#include "manifest_tables.hpp"

namespace mortise::core {

/// Reads plugin.toml; `folder` and `refusal` stay empty.  Throws: PluginError naming line or key.
/// Thread: [any-thread].
PluginManifest parse_manifest(std::string_view text);

/// "sdk=0.1.0;cxx11=1" → map.  Items without '=' are dropped.
std::map<std::string, std::string> parse_tag(std::string_view text);

}  // namespace mortise::core
