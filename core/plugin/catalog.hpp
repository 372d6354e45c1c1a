// What plugins there are, read from manifests only: nothing is opened, nothing is hashed, LibTorch
// is not loaded.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/schema_info.hpp"

namespace mortise::core {

struct PluginManifest;
struct HostFacts;

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

/// A list of folders that hold one folder per plugin (or are one themselves), in order of
/// precedence.
struct SearchPath {
  std::vector<std::string> folders;
  /// --plugin-path → MORTISE_PLUGIN_PATH → $XDG_DATA_HOME/mortise/plugins →
  /// <prefix>/lib/mortise/plugins.  Never the working directory.
  static SearchPath standard(const std::vector<std::string>& from_command_line);
};

/// All manifests on a search path.   Thread: [main-thread]; const use [any-thread] except
/// ComponentEntry::schema.
class Catalog {
 public:
  /// Reads every manifest.  A broken manifest does not stop the others: it appears with a
  /// `refusal`.
  static Catalog discover(const SearchPath& path);
  /// The same, checked against another host than this process (tests).
  static Catalog discover(const SearchPath& path, const HostFacts& host);

  const std::deque<PluginManifest>& plugins() const { return plugins_; }

  const SearchPath& search_path() const { return path_; }

  /// The components of one kind ("optimizer") with this name; "org.acme.optim:lion" narrows to one
  /// plugin. Refused plugins provide nothing.  More than one result is an ambiguity, which the
  /// caller reports naming both files.
  std::vector<const ComponentEntry*> providers(std::string_view kind, std::string_view name) const;
  /// The same among refused plugins: tells "there is one, but" from "there is none".
  std::vector<const ComponentEntry*> refused_providers(std::string_view kind,
                                                       std::string_view name) const;
  /// All components of one kind, sorted by name; of all kinds (sorted by kind, then name) when
  /// `kind` is empty.
  std::vector<const ComponentEntry*> components(std::string_view kind = {}) const;

 private:
  void read_folder(const std::string& folder, const HostFacts& host);
  std::vector<const ComponentEntry*> find(std::string_view kind,
                                          std::string_view name,
                                          bool refused) const;

  SearchPath path_;
  std::deque<PluginManifest> plugins_;  // a deque: ComponentEntry::plugin stays valid
};

/// "optimizer/1.0" → "optimizer".
std::string_view kind_of(std::string_view interface_id);

/// The folder above bin/ (or tests/) of the running program: where lib/ and share/ are, installed
/// and in the build tree alike.
const std::string& installation_prefix();

}  // namespace mortise::core
