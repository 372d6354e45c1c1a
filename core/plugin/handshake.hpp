// The handshake: a plugin's manifest against this host, field by field, before anything is opened.
//
// The host checks, never the plugin (docs/explanation/plugin_boundary.md).  The CLI computes its
// own side itself, but for LibTorch, which it does not load: that part it reads from
// <prefix>/lib/mortise/engine.toml, written by the build.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/plugin/catalog.hpp"

namespace mortise::core {

/// An interface as the host knows it.
struct InterfaceFact {
  std::string id;      // "optimizer/1.0"
  std::string layout;  // fingerprint
};

/// The host's side of the handshake.
struct HostFacts {
  int64_t abi = 0;
  std::map<std::string, std::string> tag;
  std::string glibc;
  std::map<std::string, InterfaceFact, std::less<>> interfaces;  // by kind
  /// Computed once; `torch` is in the tag when engine.toml exists.   Thread: [main-thread].
  static const HostFacts& of_this_process();
};

/// The plain-tier part, and the tensor-tier part of an engine.toml (text) added to it.  Throws:
/// PluginError.
HostFacts plain_host_facts();
void add_engine_facts(HostFacts& facts, std::string_view engine_toml);

/// One field in which plugin and host do not fit.
struct Difference {
  std::string field, plugin, host, rule;
  std::string fix;
};

/// Compares all fields.   Thread: [any-thread].
std::vector<Difference> compare(const PluginManifest& manifest, const HostFacts& host);

/// Fills manifest.refusal and refusal_fix; leaves them empty when everything fits.
void check_handshake(PluginManifest& manifest, const HostFacts& host);

/// The command that rebuilds a plugin against this SDK.
std::string rebuild_command();

}  // namespace mortise::core
