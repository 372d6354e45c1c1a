// mortise inspect [NAME | KIND/NAME | FILE.so] [--json] [--markdown DIR] [--plugin-path DIR]
//
// Reads manifests only.  A FILE.so is foreign: it is probed in a child.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"

#include "core/cli/arguments.hpp"
#include "core/cli/component_text.hpp"
#include "core/cli/reference_pages.hpp"
#include "core/cli/verbs.hpp"
#include "core/plugin/catalog.hpp"
#include "core/plugin/probe.hpp"
#include "core/recipe/suggest.hpp"

namespace mortise::core {

namespace {

std::string refusal_text(const PluginManifest& plugin) {
  return fmt::format("error[E203] {}\n  fix: {}\n", plugin.refusal, plugin.refusal_fix);
}

Value component_json(const ComponentEntry& entry) {
  Value out = Value::table();
  out["kind"] = kind_of(entry.interface_id);
  out["name"] = entry.name;
  out["interface"] = entry.interface_id;
  out["doc"] = entry.doc;
  if (entry.plugin != nullptr) out["plugin"] = entry.plugin->id;
  out["schema"] = entry.schema().to_value();
  return out;
}

Value plugin_json(const PluginManifest& plugin) {
  Value out = Value::table();
  out["id"] = plugin.id;
  out["version"] = plugin.version;
  out["license"] = plugin.license;
  out["file"] = plugin.path();
  out["tag"] = plugin.tag_text;
  if (!plugin.refusal.empty()) {
    out["refusal"] = plugin.refusal;
    out["fix"] = plugin.refusal_fix;
  }
  out["components"] = Value::array();
  for (const ComponentEntry& entry : plugin.components)
    out["components"].as_array().push_back(component_json(entry));
  return out;
}

std::string table_of(const Catalog& catalog) {
  std::string out;
  std::string_view kind;
  size_t name_width = 12, doc_width = 20;
  for (const ComponentEntry* entry : catalog.components()) {
    name_width = std::max(name_width, entry->name.size());
    doc_width = std::min<size_t>(64, std::max(doc_width, entry->doc.size()));
  }
  size_t components = 0, refused = 0;
  for (const ComponentEntry* entry : catalog.components()) {
    if (kind_of(entry->interface_id) != kind) {
      kind = kind_of(entry->interface_id);
      const bool is_draft = entry->interface_id.find("-draft") != std::string::npos;
      out += fmt::format("{}{}{}\n",
                         out.empty() ? "" : "\n",
                         kind,
                         is_draft ? "   (draft: may still change)" : "");
    }
    out += fmt::format("  {:<{}}  {:<{}}  {} {}\n",
                       entry->name,
                       name_width,
                       entry->doc,
                       doc_width,
                       entry->plugin->id,
                       entry->plugin->version);
    ++components;
  }
  for (const PluginManifest& plugin : catalog.plugins())
    if (!plugin.refusal.empty()) {
      out += (refused++ == 0 ? "\nrefused\n" : "") + refusal_text(plugin);
    }
  out += fmt::format("\n{} components of {} plugins{}.  mortise inspect KIND/NAME shows one.\n",
                     components,
                     catalog.plugins().size() - refused,
                     refused > 0 ? fmt::format("; {} refused", refused) : "");
  if (components + refused == 0) {
    out += "searched:\n";
    for (const std::string& folder : catalog.search_path().folders) out += "  " + folder + "\n";
  }
  return out;
}

std::string capability_lines(const char* title, const std::vector<Capability>& items) {
  std::string out;
  for (const Capability& item : items)
    out += fmt::format("  {:<10} {}{}\n",
                       out.empty() ? title : "",
                       item.name,
                       item.when.empty() ? "" : " when " + item.when);
  return out;
}

std::string parameters_of(const SchemaInfo& schema) {
  std::vector<std::string> paths;
  const auto rows = flatten(schema.fields, paths);
  if (rows.empty()) return "\nno parameters\n";
  size_t path_width = 4, type_width = 4, default_width = 7;
  for (size_t i = 0; i < rows.size(); ++i) {
    path_width = std::max(path_width, paths[i].size());
    type_width = std::max(type_width, type_text(*rows[i]).size());
    default_width = std::min<size_t>(24, std::max(default_width, default_text(*rows[i]).size()));
  }
  std::string out = "\nparameters\n";
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string range = range_text(*rows[i]);
    out += fmt::format("  {:<{}}  {:<{}}  {:<{}}  {}{}{}\n",
                       paths[i],
                       path_width,
                       type_text(*rows[i]),
                       type_width,
                       default_text(*rows[i]),
                       default_width,
                       rows[i]->doc,
                       range.empty() ? "" : fmt::format(" ({})", range),
                       rows[i]->since.empty() ? "" : fmt::format(" [since {}]", rows[i]->since));
  }
  return out;
}

std::string page_of(const ComponentEntry& entry, const PluginManifest& plugin) {
  const SchemaInfo& schema = entry.schema();
  std::string out = fmt::format("{}/{}: {}\n", kind_of(entry.interface_id), entry.name, entry.doc);
  out += fmt::format(
      "  plugin     {} {} ({})   {}\n  interface  {}{}\n",
      plugin.id,
      plugin.version,
      plugin.license,
      plugin.path(),
      entry.interface_id,
      entry.interface_id.find("-draft") != std::string::npos ? "   (draft: may still change)" : "");
  out += capability_lines("provides", schema.provides) + capability_lines("needs", schema.needs);
  out += parameters_of(schema);
  if (!schema.rules.empty()) out += "\nrules\n";
  for (const Rule& rule : schema.rules)
    out += fmt::format("  {}   {}\n", rule.expression, rule.message);
  return out + "\nexample\n" + example_table(entry);
}

std::vector<const ComponentEntry*> named(const Catalog& catalog, const std::string& word) {
  const size_t slash = word.find('/');
  const std::string kind = slash == std::string::npos ? "" : word.substr(0, slash);
  const std::string name = slash == std::string::npos ? word : word.substr(slash + 1);
  std::vector<const ComponentEntry*> found;
  std::set<std::string> kinds;
  for (const ComponentEntry* entry : catalog.components())
    kinds.emplace(kind_of(entry->interface_id));
  for (const std::string& each : kinds)
    if (kind.empty() || kind == each)
      for (const ComponentEntry* entry : catalog.providers(each, name)) found.push_back(entry);
  if (found.empty() && kinds.count(word) != 0) return catalog.components(word);  // a whole kind
  return found;
}

[[noreturn]] void nothing_named(const Catalog& catalog, const std::string& word) {
  for (const PluginManifest& plugin : catalog.plugins())
    for (const ComponentEntry& entry : plugin.components)
      if (!plugin.refusal.empty() &&
          (entry.name == word ||
           fmt::format("{}/{}", kind_of(entry.interface_id), entry.name) == word))
        throw PluginError(plugin.refusal, plugin.refusal_fix);
  std::string known;
  std::vector<std::string> words;
  for (const ComponentEntry* entry : catalog.components()) {
    const std::string full = fmt::format("{}/{}", kind_of(entry->interface_id), entry->name);
    known += (known.empty() ? "" : ", ") + full;
    words.push_back(word.find('/') == std::string::npos ? entry->name : full);
  }
  const std::string near = nearest(word, words);
  throw PluginError(fmt::format("no component is called \"{}\"{}; known: {}",
                                word,
                                near.empty() ? "" : fmt::format("   did you mean `{}`?", near),
                                known.empty() ? "none" : known),
                    "mortise inspect lists all; --plugin-path DIR adds a folder");
}

int inspect_library(const std::string& file, bool as_json) {
  PluginManifest plugin = probe_manifest(file);
  for (ComponentEntry& entry : plugin.components) entry.plugin = &plugin;
  if (as_json) {
    print(to_json(plugin_json(plugin), 2) + "\n");
  } else {
    std::string out;
    for (const ComponentEntry& entry : plugin.components)
      out += (out.empty() ? "" : "\n\n") + page_of(entry, plugin);
    if (!plugin.refusal.empty()) out += "\n" + refusal_text(plugin);
    print(out);
  }
  return plugin.refusal.empty() ? 0 : static_cast<int>(Code::Plugin);
}

Value catalog_json(const Catalog& catalog) {
  Value out = Value::table();
  out["search_path"] = Value::array();
  for (const std::string& folder : catalog.search_path().folders)
    out["search_path"].as_array().emplace_back(folder);
  out["plugins"] = Value::array();
  for (const PluginManifest& plugin : catalog.plugins())
    out["plugins"].as_array().push_back(plugin_json(plugin));
  return out;
}

}  // namespace

int run_inspect(const std::vector<std::string>& words) {
  const Arguments arguments("inspect", words);
  const std::string word =
      arguments.positional().empty() ? "" : arguments.only("[NAME|KIND/NAME|FILE.so]");
  const bool as_json = arguments.has("json");
  if (word.find(".so") != std::string::npos) return inspect_library(word, as_json);

  const Catalog catalog = arguments.catalog();
  if (arguments.has("markdown")) {
    write_reference_pages(catalog, arguments.get("markdown"));
  } else if (word.empty()) {
    print(as_json ? to_json(catalog_json(catalog), 2) + "\n" : table_of(catalog));
  } else {
    const auto found = named(catalog, word);
    if (found.empty()) nothing_named(catalog, word);
    std::string out;
    for (const ComponentEntry* entry : found)
      out += as_json ? to_json(component_json(*entry), 2) + "\n"
                     : (out.empty() ? "" : "\n\n") + page_of(*entry, *entry->plugin);
    print(out);
  }
  return 0;
}

}  // namespace mortise::core
