// One symbol, no bundled LibTorch, fits the host, manifest = descriptor, loads fast, sane identity
// and schemas.
#include <ctime>
#include <filesystem>
#include <set>

#include <dlfcn.h>
#include <fmt/format.h>

#include "mortise/file.hpp"

#include "core/conform/checks.hpp"
#include "core/plugin/descriptor.hpp"
#include "core/plugin/handshake.hpp"
#include "core/plugin/load_error.hpp"
#include "elf_notes.hpp"
#include "manifest.hpp"

namespace mortise::core {

namespace fs = std::filesystem;

namespace {

void exports_one_symbol(const Subject& subject) {
  std::string extra;
  const ElfNotes notes = read_elf_notes(subject.library);
  for (const std::string& symbol : notes.exported)
    if (symbol != MORTISE_ENTRY_NAME && symbol.rfind("__asan", 0) != 0 &&
        symbol.rfind("__odr_asan", 0) != 0)
      extra += "\n  " + demangled(symbol);
  MORTISE_EXPECT(extra.empty(),
                 "it exports more than {}:{}\n  fix: build it with mortise_add_plugin, whose "
                 "version script hides the rest",
                 MORTISE_ENTRY_NAME,
                 extra);
}

void bundles_no_torch(const Subject& subject) {
  const ElfNotes notes = read_elf_notes(subject.library);
  for (const std::string& path : notes.run_path)
    MORTISE_EXPECT(
        !notes.needs_torch(), "it has the runpath {}: it could bring a second LibTorch", path);
  for (const auto& beside : fs::directory_iterator(fs::path(subject.library).parent_path())) {
    const std::string name = beside.path().filename().string();
    MORTISE_EXPECT(name.rfind("libtorch", 0) != 0 && name.rfind("libc10", 0) != 0,
                   "it bundles {}; the host's LibTorch is used",
                   name);
  }
  for (const std::string& name : notes.needed)
    MORTISE_EXPECT(subject.manifest->needs_torch() ||
                       (name.rfind("libtorch", 0) != 0 && name.rfind("libc10", 0) != 0),
                   "it links {} without the tensor tier: link mortise::sdk_torch",
                   name);
}

void fits_host(const Subject& subject) {
  MORTISE_EXPECT(subject.manifest->refusal.empty(),
                 "{}\n  fix: {}",
                 subject.manifest->refusal,
                 subject.manifest->refusal_fix);
}

// The committed manifest without the hash, which is set when installing.
std::string without_hash(const std::string& text) {
  const size_t at = text.find("\nsha256 = ");
  return at == std::string::npos ? text : text.substr(0, at) + text.substr(text.find('\n', at + 1));
}

void manifest_is_fresh(const Subject& subject) {
  const std::string path = fs::path(subject.library).parent_path().string() + "/plugin.toml";
  if (!fs::exists(path))
    conform::skip("there is no plugin.toml beside it; mortise_add_plugin writes one");
  MORTISE_EXPECT(without_hash(read_file(path)) == without_hash(subject.fresh_manifest),
                 "{} is stale\n  fix: mortise-describe {} {}",
                 path,
                 subject.library,
                 path);
}

void loads_fast(const Subject& subject) {
  const std::clock_t begin =
      std::clock();  // processor time: a busy machine is not the plugin's doing
  const ComponentEntry& first = subject.manifest->components.front();
  subject.host->require(kind_of(first.interface_id),
                        fmt::format("{}:{}", subject.manifest->id, first.name));
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  // The LibTorch that a tensor-tier plugin needs is loaded in here too; it is not the plugin's
  // doing.
  const double limit = subject.manifest->needs_torch() ? 5.0 : 0.1;
  MORTISE_EXPECT(seconds < limit,
                 "loading took {:.0f} ms, at most {:.0f} are allowed; move work out of namespace "
                 "scope and the entry",
                 seconds * 1e3,
                 limit * 1e3);
}

void entry_is_stable(const Subject& subject) {
  void* library = dlopen(subject.library.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  MORTISE_EXPECT(library != nullptr, "{}", explain_load_error(subject.library, dlerror()));
  const auto entry = reinterpret_cast<mortise_plugin_entry_fn>(dlsym(library, MORTISE_ENTRY_NAME));
  MORTISE_EXPECT(entry != nullptr, "it exports no {}", MORTISE_ENTRY_NAME);
  const mortise_plugin* first = call_entry_function(entry, *subject.manifest);
  const mortise_plugin* second = call_entry_function(entry, *subject.manifest);
  MORTISE_EXPECT(first == second, "a second call of the entry returns another descriptor");
  check_descriptor(*first, *subject.manifest);
}

void identity_is_sane(const Subject& subject) {
  const PluginManifest& plugin = *subject.manifest;
  MORTISE_EXPECT(plugin.id.find('.') != std::string::npos,
                 "the id \"{}\" is no reverse domain such as org.acme.optim",
                 plugin.id);
  int major = 0, minor = 0, patch = 0, end = 0;
  MORTISE_EXPECT(
      std::sscanf(plugin.version.c_str(), "%d.%d.%d%n", &major, &minor, &patch, &end) == 3 &&
          (plugin.version[static_cast<size_t>(end)] == 0 ||
           plugin.version.find_first_of("-+") == static_cast<size_t>(end)),
      "the version \"{}\" is no semantic version such as 1.2.0",
      plugin.version);
  MORTISE_EXPECT(!plugin.license.empty(),
                 "no license is given; write an SPDX name such as Apache-2.0");
  MORTISE_EXPECT(!plugin.components.empty(), "it provides no component");
  std::set<std::string> seen;
  for (const ComponentEntry& entry : plugin.components) {
    const std::string full = fmt::format("{}/{}", kind_of(entry.interface_id), entry.name);
    MORTISE_EXPECT(seen.insert(full).second, "{} is declared twice", full);
    MORTISE_EXPECT(
        entry.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos,
        "{}: a component name is snake_case",
        full);
    MORTISE_EXPECT(!entry.doc.empty(), "{} has no doc sentence", full);
  }
}

}  // namespace

std::vector<NamedCheck> plugin_checks(const Subject& subject) {
  const std::pair<const char*, void (*)(const Subject&)> all[] = {
      {"exports one symbol", exports_one_symbol},
      {"brings no LibTorch of its own", bundles_no_torch},
      {"fits this host", fits_host},
      {"its manifest equals its descriptor", manifest_is_fresh},
      {"has an id, a version, a license and documented components", identity_is_sane},
      {"loads with RTLD_NOW and RTLD_LOCAL, quickly", loads_fast},
      {"gives the same descriptor twice", entry_is_stable},
  };
  std::vector<NamedCheck> checks;
  for (const auto& [name, run] : all)
    checks.push_back({fmt::format("plugin: {}", name), [&subject, run = run] { run(subject); }});
  return checks;
}

}  // namespace mortise::core
