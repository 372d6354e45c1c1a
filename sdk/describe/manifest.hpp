// plugin.toml as structs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/schema_info.hpp"

#include "manifest_tables.hpp"

namespace mortise {

struct PluginManifest;

/// One component of one plugin, as its manifest describes it.
struct ComponentEntry {
  const PluginManifest* plugin = nullptr;
  std::string name;          // "lion"
  std::string interface_id;  // "optimizer/1.0"
  std::string doc;
  std::string layout;
  std::string schema_text;  // JSON
  /// Parses the schema at the first call.  Throws: PluginError when the manifest is broken. Thread:
  /// [main-thread].
  const SchemaInfo& schema() const;

 private:
  mutable std::shared_ptr<const SchemaInfo> schema_;
};

/// plugin.toml.
struct PluginManifest {
  std::string folder;  // absolute
  std::string file;    // the library, inside `folder`
  std::string id, version, license;
  int64_t abi = 0;
  std::string tag_text;                    // as the descriptor has it
  std::map<std::string, std::string> tag;  // "torch" → "2.11.0"
  std::string glibc, glibcxx, build_id, sha256;
  std::vector<ComponentEntry> components;
  std::string refusal;      // why this host would refuse it, one message; empty: it fits
  std::string refusal_fix;  // the command or step that fixes it

  std::string path() const { return folder + "/" + file; }

  bool needs_torch() const { return tag.count("torch") != 0; }
};

/// Reads plugin.toml; `folder` and `refusal` stay empty.  Throws: PluginError naming line or key.
/// Thread: [any-thread].
PluginManifest parse_manifest(std::string_view text);

/// "sdk=0.1.0;cxx11=1" → map.  Items without '=' are dropped.
std::map<std::string, std::string> parse_tag(std::string_view text);

}  // namespace mortise
