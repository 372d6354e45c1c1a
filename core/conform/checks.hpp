// The checks that hold for every plugin and every component, whatever its interface.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mortise/conform.hpp"

#include "core/plugin/catalog.hpp"
#include "core/plugin/plugin_host.hpp"

namespace mortise::core {

/// What the worker tests.
struct Subject {
  std::string library;         // absolute path
  std::string fresh_manifest;  // text, just made by mortise-describe in another child
  const PluginManifest* manifest = nullptr;
  PluginHost* host = nullptr;
  uint64_t seed = 1;
};

struct NamedCheck {
  std::string name;  // "plugin: exports one symbol", "optimizer/lion: resumes bit for bit"
  std::function<void()> run;
};

/// Checks of the library as a whole.
std::vector<NamedCheck> plugin_checks(const Subject& subject);
/// Schema fuzz, life cycle and independence of one component.   Lifetime: the factory outlives the
/// checks.
std::vector<NamedCheck> component_checks(conform::Factory& factory,
                                         const conform::Suite& suite,
                                         const std::string& prefix);

}  // namespace mortise::core
