// Field rules of the build tag, interface versions and layouts (reference: plugin boundary,
// handshake table).
#include "core/plugin/handshake.hpp"

#include <array>
#include <cstdio>
#include <filesystem>

#include <dlfcn.h>
#include <fmt/format.h>
#include <gnu/libc-version.h>

#include "mortise/abi.h"
#include "mortise/architecture.hpp"
#include "mortise/data_source.hpp"
#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/guard.hpp"
#include "mortise/metric.hpp"
#include "mortise/schedule.hpp"
#include "mortise/tag.hpp"
#include "mortise/tokenizer.hpp"
#include "mortise/tracker.hpp"
#include "mortise/transform.hpp"
#include "mortise/weight_format.hpp"

#include "manifest.hpp"

namespace mortise::core {

namespace {

template <class... Interfaces>
void add_interfaces(HostFacts& facts) {
  (facts.interfaces.insert_or_assign(std::string(kind_of(Interfaces::kInterface)),
                                     InterfaceFact{Interfaces::kInterface, Interfaces::layout()}),
   ...);
}

std::array<int, 3> numbers(const std::string& version) {
  std::array<int, 3> out{};
  std::sscanf(version.c_str(), "%d.%d.%d", &out[0], &out[1], &out[2]);
  return out;
}

std::string value_of(const std::map<std::string, std::string>& tag, const char* key) {
  const auto it = tag.find(key);
  return it == tag.end() ? "none" : it->second;
}

// libstdc++ defines one absolute symbol per version that it supports, so the running one can be
// asked without a file.
bool has_glibcxx(const std::string& version) {
  const std::string name = "GLIBCXX_" + version;
  dlerror();
  dlvsym(RTLD_DEFAULT, name.c_str(), name.c_str());
  return dlerror() == nullptr;
}

std::string newest_glibcxx(const std::string& below) {
  const auto [major, minor, patch] = numbers(below);
  for (int p = patch; p >= 0; --p)
    if (const std::string version = fmt::format("{}.{}.{}", major, minor, p); has_glibcxx(version))
      return version;
  return "older";
}

void compare_tag(const PluginManifest& manifest,
                 const HostFacts& host,
                 std::vector<Difference>& out) {
  const auto field = [&](const char* key, size_t parts, const char* rule) {
    const std::string plugin = value_of(manifest.tag, key), ours = value_of(host.tag, key);
    const auto a = numbers(plugin), b = numbers(ours);
    const bool equal =
        parts == 0
            ? plugin == ours
            : plugin != "none" && ours != "none" &&
                  std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(parts), b.begin());
    if (!equal) out.push_back({key, plugin, ours, rule, ""});
  };
  field("sdk", 1, "differs; plugin and host must have the same SDK major");
  field("stdlib", 0, "differs; std::string and containers cross the boundary");
  field("cxx11", 0, "differs; build both with the same _GLIBCXX_USE_CXX11_ABI");
  field("glibcxx_debug", 0, "differs; _GLIBCXX_DEBUG changes the layout of containers");
  field("san", 0, "differs; sanitized and plain code do not mix in one process");
  if (manifest.needs_torch()) {
    if (host.tag.count("torch") == 0)
      out.push_back({"torch",
                     value_of(manifest.tag, "torch"),
                     "none",
                     "this mortise was built without the tensor tier",
                     "use a mortise that was built with LibTorch"});
    else
      field("torch", 2, "differs; tensor-tier plugins must match major.minor");
  }
  if (manifest.tag.count("cuda") != 0) {
    if (host.tag.count("cuda") == 0)
      out.push_back({"cuda",
                     value_of(manifest.tag, "cuda"),
                     "none",
                     "this mortise was built without CUDA",
                     "use a mortise that was built with CUDA"});
    else
      field("cuda", 1, "differs; device code must match the CUDA major");
  }
}

void compare_system(const PluginManifest& manifest,
                    const HostFacts& host,
                    std::vector<Difference>& out) {
  static constexpr const char* kFix = "build the plugin on this system or on an older one";
  if (!manifest.glibc.empty() && numbers(manifest.glibc) > numbers(host.glibc))
    out.push_back(
        {"glibc", manifest.glibc, host.glibc, "too old; the plugin needs a newer C library", kFix});
  if (!manifest.glibcxx.empty() && !has_glibcxx(manifest.glibcxx))
    out.push_back({"glibcxx",
                   manifest.glibcxx,
                   newest_glibcxx(manifest.glibcxx),
                   "too old; the plugin needs a newer libstdc++",
                   kFix});
}

// "optimizer/1.2-draft" → {1, 2}, draft.
struct InterfaceVersion {
  int major = 0, minor = 0;
  bool is_draft = false;

  explicit InterfaceVersion(std::string_view id) {
    std::sscanf(std::string(id.substr(std::min(id.find('/') + 1, id.size()))).c_str(),
                "%d.%d",
                &major,
                &minor);
    is_draft = id.size() > 6 && id.substr(id.size() - 6) == "-draft";
  }
};

void compare_interface(const ComponentEntry& entry,
                       const HostFacts& host,
                       std::vector<Difference>& out) {
  const std::string kind(kind_of(entry.interface_id));
  const auto it = host.interfaces.find(kind);
  if (it == host.interfaces.end()) {
    out.push_back({kind,
                   entry.interface_id,
                   "none",
                   "unknown; this mortise has no such interface",
                   "update Mortise, or use a plugin built for this version"});
    return;
  }
  const InterfaceFact& ours = it->second;
  const InterfaceVersion a(entry.interface_id), b(ours.id);
  if (a.major != b.major || (a.is_draft || b.is_draft ? entry.interface_id != ours.id : false))
    out.push_back({kind,
                   entry.interface_id,
                   ours.id,
                   b.is_draft ? "differs; a draft interface must be the very same"
                              : "differs; an interface must have the same major",
                   ""});
  else if (a.minor > b.minor)
    out.push_back({kind,
                   entry.interface_id,
                   ours.id,
                   "too old; the plugin uses a newer minor than this host has",
                   "update Mortise, or build the plugin with this SDK"});
  else if (a.minor == b.minor && entry.layout != ours.layout)
    out.push_back({"layout of " + entry.interface_id,
                   entry.layout,
                   ours.layout,
                   "differs; types that this interface passes are laid out differently",
                   ""});
}

}  // namespace

HostFacts plain_host_facts() {
  HostFacts facts;
  facts.abi = MORTISE_ABI;
  facts.tag = parse_tag(MORTISE_BUILD_TAG);
  facts.glibc = gnu_get_libc_version();
  add_interfaces<Architecture,
                 DataSource,
                 Guard,
                 Metric,
                 Schedule,
                 Tokenizer,
                 Tracker,
                 Transform,
                 WeightFormat>(facts);
  return facts;
}

void add_engine_facts(HostFacts& facts, std::string_view engine_toml) {
  for (const ManifestTable& table : read_manifest_tables(engine_toml)) {
    const auto take = [&](const char* key) {
      const std::string* value = table.find(key);
      if (value == nullptr)
        throw PluginError(fmt::format("engine.toml: [{}] has no key {}", table.name, key),
                          "build or install Mortise again");
      return *value;
    };
    if (table.name == "engine") {
      facts.tag["torch"] = take("torch");
      if (const std::string* cuda = table.find("cuda"); cuda != nullptr && !cuda->empty())
        facts.tag["cuda"] = *cuda;
    } else if (table.name == "interface") {
      const std::string id = take("id");
      facts.interfaces.insert_or_assign(std::string(kind_of(id)),
                                        InterfaceFact{id, take("layout")});
    }
  }
}

const HostFacts& HostFacts::of_this_process() {
  static const HostFacts facts = [] {
    HostFacts all = plain_host_facts();
    const std::string engine = installation_prefix() + "/lib/mortise/engine.toml";
    std::error_code absent;
    if (std::filesystem::exists(engine, absent))
      add_engine_facts(all, read_file(engine, int64_t{1} << 20));
    return all;
  }();
  return facts;
}

std::vector<Difference> compare(const PluginManifest& manifest, const HostFacts& host) {
  std::vector<Difference> out;
  if (manifest.abi != host.abi)
    out.push_back({"abi",
                   std::to_string(manifest.abi),
                   std::to_string(host.abi),
                   "differs; the descriptor itself has another form",
                   ""});
  compare_tag(manifest, host, out);
  compare_system(manifest, host, out);
  // Without the tensor tier its interfaces are unknown too: one line says it.
  const bool is_torch_missing = manifest.needs_torch() && host.tag.count("torch") == 0;
  for (const ComponentEntry& entry : manifest.components)
    if (!is_torch_missing) compare_interface(entry, host, out);
  return out;
}

void check_handshake(PluginManifest& manifest, const HostFacts& host) {
  const std::vector<Difference> differences = compare(manifest, host);
  if (differences.empty()) return;
  manifest.refusal =
      fmt::format("plugin {} {} cannot be used by this mortise", manifest.id, manifest.version);
  size_t field_width = 7, plugin_width = 0;
  for (const Difference& d : differences) {
    field_width = std::max(field_width, d.field.size());
    plugin_width = std::max(plugin_width, d.plugin.size());
  }
  for (const Difference& d : differences)
    manifest.refusal += fmt::format("\n    {:<{}} plugin {:<{}}  host {}     <- {}",
                                    d.field,
                                    field_width,
                                    d.plugin,
                                    plugin_width,
                                    d.host,
                                    d.rule);
  manifest.refusal_fix = differences.front().fix.empty() ? "rebuild it:  " + rebuild_command()
                                                         : differences.front().fix;
}

std::string rebuild_command() {
  return fmt::format(
      "cmake -S . -B build -Dmortise_DIR={}/lib/cmake/mortise && cmake --build build",
      installation_prefix());
}

}  // namespace mortise::core
