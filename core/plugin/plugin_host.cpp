// Loading and wiring.  The one source that knows Boost.DLL.
//
// Handles are never closed: unloading a library whose autograd functions, type info or statics are
// still referenced crashes (observed with LibTorch), so RTLD_NODELETE and a leaked handle, for
// good.
#include "core/plugin/plugin_host.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#define BOOST_DLL_USE_STD_FS
#include <filesystem>
#include <map>
#include <type_traits>
#include <utility>

#include <boost/dll/shared_library.hpp>

#include "mortise/abi.h"
#include "mortise/error.hpp"

#include "core/plugin/descriptor.hpp"
#include "core/plugin/handshake.hpp"
#include "core/plugin/load_error.hpp"
#include "sha256.hpp"

namespace mortise::core {

namespace {

// NOW: an undefined symbol is an error here, not a crash later.  LOCAL: plugins do not see one
// another.
constexpr auto kLoadMode = boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local |
                           static_cast<boost::dll::load_mode::type>(RTLD_NODELETE);

struct OpenPlugin {
  const PluginManifest* manifest = nullptr;
  const mortise_plugin* descriptor = nullptr;
};

boost::dll::shared_library& load_library(const std::string& path) {
  auto* library = new boost::dll::shared_library();  // leaked on purpose, see above
  library->load(path, kLoadMode);
  return *library;
}

// Tensor-tier plugins carry no rpath: the SDK library and, through its own runpath, LibTorch must
// be there first.
void load_tensor_sdk() {
  static bool is_loaded = false;
  if (is_loaded) return;
  const std::string path = installation_prefix() + "/lib/libmortise_sdk_torch.so.0";
  try {
    load_library(path);
  } catch (const std::exception& error) {
    throw PluginError(
        fmt::format("the tensor tier cannot be loaded: {}", explain_load_error(path, error.what())),
        "run: mortise doctor");
  }
  is_loaded = true;
}

void check_hash(const PluginManifest& manifest, const std::string& hash) {
  if (manifest.sha256.empty() || manifest.sha256 == hash) return;
  throw PluginError(
      fmt::format("plugin {} {}: {} is not the file that was installed\n    sha256 in plugin.toml "
                  "{}\n    sha256 of the file   {}",
                  manifest.id,
                  manifest.version,
                  manifest.path(),
                  manifest.sha256,
                  hash),
      fmt::format(
          "install the plugin again; if you changed it yourself:  mortise-describe --rehash {}",
          manifest.folder));
}

const mortise_plugin* call_entry(const PluginManifest& manifest) {
  boost::dll::shared_library* library = nullptr;
  try {
    library = &load_library(manifest.path());
  } catch (const std::exception& error) {
    throw PluginError(fmt::format("plugin {} {} cannot be loaded: {}",
                                  manifest.id,
                                  manifest.version,
                                  explain_load_error(manifest.path(), error.what())),
                      load_error_fix(error.what()));
  }
  if (!library->has(MORTISE_ENTRY_NAME))
    throw PluginError(
        fmt::format(
            "plugin {}: {} exports no {}", manifest.id, manifest.path(), MORTISE_ENTRY_NAME),
        "declare the plugin with MORTISE_PLUGIN and build it with mortise_add_plugin");
  return call_entry_function(
      library->get<std::remove_pointer_t<mortise_plugin_entry_fn>>(MORTISE_ENTRY_NAME), manifest);
}

}  // namespace

struct PluginHost::State {
  const Catalog* catalog = nullptr;
  std::map<const PluginManifest*, OpenPlugin> open;
  std::vector<LoadedPlugin> loaded;  // in order of loading
  bool is_shut_down = false;

  const ComponentEntry& resolve(std::string_view kind, std::string_view type) const;
  const OpenPlugin& opened(const PluginManifest& manifest);
};

const ComponentEntry& PluginHost::State::resolve(std::string_view kind,
                                                 std::string_view type) const {
  const auto found = catalog->providers(kind, type);
  if (found.size() == 1) return *found.front();
  if (found.size() > 1) {
    std::string files, choices;
    for (const ComponentEntry* entry : found) {
      files += fmt::format(
          "\n    {} {}   {}", entry->plugin->id, entry->plugin->version, entry->plugin->path());
      choices += fmt::format(
          "{}type = \"{}:{}\"", choices.empty() ? "" : "  or  ", entry->plugin->id, entry->name);
    }
    throw PluginError(
        fmt::format("{} plugins provide {} \"{}\":{}", found.size(), kind, type, files),
        "name one of them:  " + choices);
  }
  if (const auto refused = catalog->refused_providers(kind, type); !refused.empty())
    throw PluginError(refused.front()->plugin->refusal, refused.front()->plugin->refusal_fix);
  std::string known, searched;
  for (const ComponentEntry* entry : catalog->components(kind))
    known += (known.empty() ? "" : ", ") + entry->name;
  for (const std::string& folder : catalog->search_path().folders) searched += "\n    " + folder;
  throw PluginError(
      fmt::format("no plugin provides {} \"{}\"; known: {}\n    searched:{}",
                  kind,
                  type,
                  known.empty() ? "none" : known,
                  searched),
      "check the name with `mortise inspect`, or add the folder of the plugin with --plugin-path");
}

const OpenPlugin& PluginHost::State::opened(const PluginManifest& manifest) {
  if (const auto it = open.find(&manifest); it != open.end()) return it->second;
  if (!manifest.refusal.empty()) throw PluginError(manifest.refusal, manifest.refusal_fix);
  if (std::error_code absent; !std::filesystem::exists(manifest.path(), absent))
    throw PluginError(fmt::format("plugin {} {}: there is no file {}, which {}/plugin.toml names",
                                  manifest.id,
                                  manifest.version,
                                  manifest.path(),
                                  manifest.folder),
                      "build or install the plugin again");
  const std::string hash = sha256_of_file(manifest.path());
  check_hash(manifest, hash);
  if (manifest.needs_torch()) load_tensor_sdk();
  const mortise_plugin* descriptor = call_entry(manifest);
  check_descriptor(*descriptor, manifest);
  loaded.push_back({&manifest, hash});
  return open.emplace(&manifest, OpenPlugin{&manifest, descriptor}).first->second;
}

PluginHost::PluginHost(const Catalog& catalog) : state_(std::make_unique<State>()) {
  state_->catalog = &catalog;
}

PluginHost::~PluginHost() { shutdown(); }

void PluginHost::require(std::string_view kind, std::string_view type) {
  state_->opened(*state_->resolve(kind, type).plugin);
}

void* PluginHost::make(std::string_view interface_id, const Value& config, const void* args) {
  const std::string_view kind = kind_of(interface_id);
  const Value* type = config.find("type");
  if (type == nullptr || !type->is_string())
    throw Error(
        Code::Usage, fmt::format("a table for {} names no type", kind), "add  type = \"NAME\"");
  const ComponentEntry& entry = state_->resolve(kind, type->as_string());
  const OpenPlugin& plugin = state_->opened(*entry.plugin);
  const mortise_component* component = find_component(*plugin.descriptor, entry);
  MORTISE_ASSERT(component != nullptr, "{} vanished from {}", entry.name, entry.plugin->id);
  ErrorCatcher catcher;
  const mortise_create_args create_args{
      sizeof(mortise_create_args), &config, args, static_cast<Host*>(this), catcher.sink()};
  void* object = component->create(&create_args);
  if (object == nullptr)
    catcher.rethrow(fmt::format("while making {} \"{}\" of plugin {} {}",
                                kind,
                                entry.name,
                                entry.plugin->id,
                                entry.plugin->version));
  return object;
}

const std::vector<LoadedPlugin>& PluginHost::loaded() const { return state_->loaded; }

void PluginHost::shutdown() {
  if (std::exchange(state_->is_shut_down, true)) return;
  for (auto it = state_->loaded.rbegin(); it != state_->loaded.rend(); ++it)
    if (const mortise_plugin* descriptor = state_->open.at(it->manifest).descriptor;
        descriptor->shutdown != nullptr)
      descriptor->shutdown();
}

}  // namespace mortise::core
