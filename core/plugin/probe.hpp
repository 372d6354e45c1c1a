// Looks into a foreign library without trusting it: its entry runs in a child (mortise-describe),
// which may crash or exit.
#pragma once

#include <string>

#include "core/plugin/catalog.hpp"

namespace mortise::core {

/// Returns the manifest text that describes `library`.
/// Throws: PluginError saying what happened: it crashed, called exit, threw, is no plugin, lacks a
/// library or symbol.
std::string probe_library(const std::string& library);

/// The same, parsed and checked against this host (manifest.refusal).
PluginManifest probe_manifest(const std::string& library);

}  // namespace mortise::core
