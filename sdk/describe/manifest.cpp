// The manifest as structs; its tables are read by manifest_tables.cpp.
#include "manifest.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"

namespace mortise {

namespace {

constexpr size_t kMaxComponents = 1000;

std::string take(const ManifestTable& table, std::string_view key) {
  const std::string* value = table.find(key);
  if (value == nullptr)
    throw PluginError(fmt::format("plugin.toml: [{}] has no key {}", table.name, key));
  return *value;
}

bool matches(std::string_view text, std::string_view extra) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           extra.find(c) != std::string_view::npos;
  });
}

void check_names(const PluginManifest& manifest) {
  if (!matches(manifest.id, "._-"))
    throw PluginError(fmt::format("plugin.toml: broken plugin id \"{}\"", manifest.id));
  if (!matches(manifest.version, ".+-"))
    throw PluginError(fmt::format("plugin.toml: broken version \"{}\"", manifest.version));
  // A manifest names a file beside itself, never a path.
  if (!matches(manifest.file, "._+-") || manifest.file.front() == '.')
    throw PluginError(fmt::format("plugin.toml: broken file name \"{}\"", manifest.file));
  for (const ComponentEntry& entry : manifest.components)
    if (!matches(entry.name, "_-") || !matches(entry.interface_id, "_/.-"))
      throw PluginError(
          fmt::format("plugin.toml: broken component \"{}\" ({})", entry.name, entry.interface_id));
}

ComponentEntry read_component(const ManifestTable& table) {
  ComponentEntry entry;
  entry.name = take(table, "name");
  entry.interface_id = take(table, "interface");
  entry.doc = take(table, "doc");
  entry.layout = take(table, "layout");
  entry.schema_text = take(table, "schema");
  return entry;
}

void read_plugin(const ManifestTable& table, PluginManifest& manifest) {
  manifest.id = take(table, "id");
  manifest.version = take(table, "version");
  manifest.license = take(table, "license");
  manifest.file = take(table, "file");
  manifest.tag_text = take(table, "tag");
  manifest.tag = parse_tag(manifest.tag_text);
  manifest.glibc = take(table, "glibc");
  manifest.glibcxx = take(table, "glibcxx");
  manifest.build_id = take(table, "build_id");
  manifest.sha256 = take(table, "sha256");
  const std::string abi = take(table, "abi");
  if (std::from_chars(abi.data(), abi.data() + abi.size(), manifest.abi).ec != std::errc())
    throw PluginError("plugin.toml: abi is no integer");
}

}  // namespace

PluginManifest parse_manifest(std::string_view text) {
  PluginManifest manifest;
  bool has_plugin = false;
  for (const ManifestTable& table : read_manifest_tables(text)) {
    if (table.name == "plugin" && !table.is_array) {
      if (std::exchange(has_plugin, true)) throw PluginError("plugin.toml: [plugin] stands twice");
      read_plugin(table, manifest);
    } else if (table.name == "component" && table.is_array) {
      if (manifest.components.size() == kMaxComponents)
        throw PluginError(fmt::format("plugin.toml: more than {} components", kMaxComponents));
      manifest.components.push_back(read_component(table));
    }  // other tables: written by a later mortise-describe
  }
  if (!has_plugin) throw PluginError("plugin.toml: there is no [plugin]");
  check_names(manifest);
  return manifest;
}

const SchemaInfo& ComponentEntry::schema() const {
  if (schema_ == nullptr) {
    try {
      schema_ = std::make_shared<const SchemaInfo>(
          SchemaInfo::from_value(parse_json(schema_text, "the schema")));
    } catch (const Error& error) {
      if (plugin == nullptr)
        throw PluginError(fmt::format("the schema of {} is broken: {}", name, error.message()));
      throw PluginError(
          fmt::format("the manifest of plugin {} ({}/plugin.toml) has a broken schema for {}: {}",
                      plugin->id,
                      plugin->folder,
                      name,
                      error.message()),
          fmt::format("write it again:  mortise-describe {} {}/plugin.toml",
                      plugin->path(),
                      plugin->folder));
    }
  }
  return *schema_;
}

std::map<std::string, std::string> parse_tag(std::string_view text) {
  std::map<std::string, std::string> tag;
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (const size_t equals = item.find('='); equals != std::string_view::npos)
      tag.emplace(item.substr(0, equals), item.substr(equals + 1));
  }
  return tag;
}

}  // namespace mortise
