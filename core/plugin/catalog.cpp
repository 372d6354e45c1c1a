// Discovery: folders, manifests, what this host refuses, and look-up by name.
#include "core/plugin/catalog.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"

#include "core/plugin/handshake.hpp"

namespace mortise::core {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kMaxManifestBytes = int64_t{4} << 20;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void add_list(std::vector<std::string>& folders, std::string_view list) {
  while (!list.empty()) {
    const size_t end = std::min(list.find(':'), list.size());
    if (end > 0)
      folders.emplace_back(list.substr(0, end));  // an empty item would mean the working directory
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

// Reads one manifest; what is wrong with it becomes its refusal.
PluginManifest read_manifest(const std::string& folder, const HostFacts& host) {
  PluginManifest manifest;
  try {
    manifest = parse_manifest(read_file(folder + "/plugin.toml", kMaxManifestBytes));
    manifest.folder = folder;
    check_handshake(manifest, host);
  } catch (const Error& error) {
    manifest = {};
    manifest.folder = folder;
    manifest.id = fs::path(folder).filename().string();
    manifest.refusal = fmt::format("plugin {} in {} cannot be used by this mortise\n    {}",
                                   manifest.id,
                                   folder,
                                   error.message());
    manifest.refusal_fix = fmt::format(
        "write it again:  mortise-describe {}/PLUGIN.so {}/plugin.toml", folder, folder);
  }
  return manifest;
}

}  // namespace

SearchPath SearchPath::standard(const std::vector<std::string>& from_command_line) {
  std::vector<std::string> wanted;
  for (const std::string& item : from_command_line) add_list(wanted, item);
  add_list(wanted, environment("MORTISE_PLUGIN_PATH"));
  const std::string data_home = environment("XDG_DATA_HOME"), home = environment("HOME");
  if (!data_home.empty())
    wanted.push_back(data_home + "/mortise/plugins");
  else if (!home.empty())
    wanted.push_back(home + "/.local/share/mortise/plugins");
  wanted.push_back(installation_prefix() + "/lib/mortise/plugins");

  SearchPath path;
  std::set<std::string> seen;
  for (const std::string& folder : wanted) {
    std::error_code ignored;
    const std::string absolute =
        fs::weakly_canonical(fs::absolute(folder, ignored), ignored).string();
    if (!absolute.empty() && seen.insert(absolute).second) path.folders.push_back(absolute);
  }
  return path;
}

Catalog Catalog::discover(const SearchPath& path) {
  return discover(path, HostFacts::of_this_process());
}

Catalog Catalog::discover(const SearchPath& path, const HostFacts& host) {
  Catalog catalog;
  catalog.path_ = path;
  for (const std::string& folder : path.folders) {
    std::error_code missing;
    if (fs::exists(folder + "/plugin.toml", missing)) {
      catalog.read_folder(folder, host);
      continue;
    }
    std::vector<std::string> found;
    for (fs::directory_iterator it(folder, missing), end; !missing && it != end;
         it.increment(missing)) {
      std::error_code absent;
      if (fs::exists(it->path() / "plugin.toml", absent)) found.push_back(it->path().string());
    }
    std::sort(found.begin(), found.end());  // the order of a directory is nobody's promise
    for (const std::string& plugin : found) catalog.read_folder(plugin, host);
  }
  return catalog;
}

void Catalog::read_folder(const std::string& folder, const HostFacts& host) {
  PluginManifest manifest = read_manifest(folder, host);
  const auto same_id =
      std::find_if(plugins_.begin(), plugins_.end(), [&](const PluginManifest& other) {
        return other.id == manifest.id && other.refusal.empty();
      });
  if (manifest.refusal.empty() && same_id != plugins_.end()) {
    manifest.refusal = fmt::format(
        "plugin {} {} is hidden by version {} in {}, which comes first on the search path",
        manifest.id,
        manifest.version,
        same_id->version,
        same_id->folder);
    manifest.refusal_fix =
        fmt::format("remove one of the two folders, or put {} first with --plugin-path", folder);
  }
  PluginManifest& kept = plugins_.emplace_back(std::move(manifest));
  for (ComponentEntry& entry : kept.components) entry.plugin = &kept;
}

std::vector<const ComponentEntry*> Catalog::find(std::string_view kind,
                                                 std::string_view name,
                                                 bool refused) const {
  std::string_view id;
  if (const size_t colon = name.find(':'); colon != std::string_view::npos) {
    id = name.substr(0, colon);
    name = name.substr(colon + 1);
  }
  std::vector<const ComponentEntry*> found;
  for (const PluginManifest& plugin : plugins_) {
    if (plugin.refusal.empty() == refused || (!id.empty() && plugin.id != id)) continue;
    for (const ComponentEntry& entry : plugin.components)
      if (entry.name == name && kind_of(entry.interface_id) == kind) found.push_back(&entry);
  }
  return found;
}

std::vector<const ComponentEntry*> Catalog::providers(std::string_view kind,
                                                      std::string_view name) const {
  return find(kind, name, /*refused=*/false);
}

std::vector<const ComponentEntry*> Catalog::refused_providers(std::string_view kind,
                                                              std::string_view name) const {
  return find(kind, name, /*refused=*/true);
}

std::vector<const ComponentEntry*> Catalog::components(std::string_view kind) const {
  std::vector<const ComponentEntry*> found;
  for (const PluginManifest& plugin : plugins_)
    for (const ComponentEntry& entry : plugin.components)
      if (plugin.refusal.empty() && (kind.empty() || kind_of(entry.interface_id) == kind))
        found.push_back(&entry);
  const auto key = [](const ComponentEntry* entry) {
    return std::make_tuple(kind_of(entry->interface_id),
                           std::string_view(entry->name),
                           std::string_view(entry->plugin->id));
  };
  std::sort(found.begin(), found.end(), [&](const ComponentEntry* a, const ComponentEntry* b) {
    return key(a) < key(b);
  });
  return found;
}

std::string_view kind_of(std::string_view interface_id) {
  return interface_id.substr(0, interface_id.find('/'));
}

const std::string& installation_prefix() {
  static const std::string prefix = [] {
    std::error_code ignored;
    return fs::read_symlink("/proc/self/exe", ignored).parent_path().parent_path().string();
  }();
  return prefix;
}

}  // namespace mortise::core
