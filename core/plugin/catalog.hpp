// What plugins there are, read from manifests only: nothing is opened, nothing is hashed, LibTorch
// is not loaded.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "manifest.hpp"

namespace mortise::core {

struct HostFacts;

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
