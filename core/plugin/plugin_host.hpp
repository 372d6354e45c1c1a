// Opens plugins and makes components: the Host that plugins see.
//
// Per plugin: manifest and tag are checked, the sha256 when the manifest carries one, then dlopen
// (NOW, LOCAL, NODELETE; never closed), entry, descriptor against manifest, and layout fingerprints
// against the host's own.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/host.hpp"

#include "core/plugin/catalog.hpp"

namespace mortise::core {

/// What was opened; for lock.toml.
struct LoadedPlugin {
  const PluginManifest* manifest = nullptr;
  std::string sha256;
};

/// Thread: [main-thread], before worker threads exist.
class PluginHost final : public Host {
 public:
  explicit PluginHost(const Catalog& catalog);
  ~PluginHost() override;
  /// Opens the plugin that provides `type` of `kind`.  Throws: PluginError (refused, ambiguous,
  /// missing, entry failed).
  void require(std::string_view kind, std::string_view type);
  void* make(std::string_view interface_id, const Value& config, const void* args) override;
  const std::vector<LoadedPlugin>& loaded() const;
  /// Calls every plugin's shutdown in reverse order of loading; once, before main returns.
  void shutdown();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mortise::core
