// A table with `type`: who provides it, its parameters by that provider's schema, its rules, its
// capabilities.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "mortise/expression.hpp"

#include "core/recipe/checker.hpp"
#include "core/recipe/suggest.hpp"
#include "toml_print.hpp"

namespace mortise::core {

namespace {

std::string owner_of(const ComponentEntry& entry) {
  return fmt::format("{}@{}, plugin {}", entry.name, entry.plugin->version, entry.plugin->id);
}

std::vector<std::string> names_of(const Catalog& catalog, std::string_view kind) {
  std::vector<std::string> names;
  for (const ComponentEntry* entry : catalog.components(kind)) names.push_back(entry->name);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

// "lora, prefix (org.mortise.peft); lion (org.acme.lion)"
std::string known_text(const Catalog& catalog, std::string_view kind) {
  std::map<std::string, std::vector<std::string>> by_plugin;
  const auto entries = catalog.components(kind);
  if (entries.empty()) return "none";
  if (entries.size() > 8) return fmt::format("{}", fmt::join(names_of(catalog, kind), ", "));
  for (const ComponentEntry* entry : entries) by_plugin[entry->plugin->id].push_back(entry->name);
  std::vector<std::string> parts;
  for (const auto& [id, names] : by_plugin)
    parts.push_back(fmt::format("{} ({})", fmt::join(names, ", "), id));
  return fmt::format("{}", fmt::join(parts, "; "));
}

Lookup lookup_in(const Value& table) {
  return [&table](std::string_view path) {
    const Value* at = &table;
    while (at != nullptr && !path.empty()) {
      const size_t dot = path.find('.');
      at = at->find(path.substr(0, dot));
      path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
    }
    return at;
  };
}

}  // namespace

const SchemaInfo* Checker::schema_of(const ComponentEntry& entry, const Node& at) {
  try {
    return &entry.schema();
  } catch (const Error& error) {
    report("E203",
           fmt::format("the manifest of {} is broken: {}", entry.plugin->id, error.message()),
           at.origin)
        .fix = "rebuild or reinstall the plugin";
    return nullptr;
  }
}

void Checker::no_provider(std::string_view kind,
                          const std::string& type,
                          const Node& at,
                          const std::string& path) {
  missing_.insert(fmt::format("{}/{}", kind, type));
  Diagnostic& d = report(
      "E201",
      fmt::format(
          "no provider for [{}] type \"{}\"; known: {}", path, type, known_text(catalog_, kind)),
      at.origin);
  d.suggestion = nearest(type, names_of(catalog_, kind));
  const auto& folders = catalog_.search_path().folders;
  d.notes.push_back("searched: " +
                    (folders.empty() ? "nowhere" : fmt::format("{}", fmt::join(folders, ", "))));
  if (d.suggestion.empty())
    d.fix = fmt::format(
        "install a plugin that provides {} \"{}\", or name its folder with --plugin-path",
        kind,
        type);
}

const ComponentEntry* Checker::provider(std::string_view kind,
                                        const std::string& type,
                                        const Node& at,
                                        const std::string& path) {
  const auto found = catalog_.providers(kind, type);
  if (found.empty()) {
    const auto refused = catalog_.refused_providers(kind, type);
    if (refused.empty()) {
      no_provider(kind, type, at, path);
      return nullptr;
    }
    missing_.insert(fmt::format("{}/{}", kind, type));
    const PluginManifest& plugin = *refused.front()->plugin;
    Diagnostic& d =
        report("E203", fmt::format("[{}] type \"{}\": {}", path, type, plugin.refusal), at.origin);
    d.fix = plugin.refusal_fix;
    return nullptr;
  }
  if (found.size() > 1) {
    Diagnostic& d = report(
        "E202", fmt::format("{} plugins provide {} \"{}\"", found.size(), kind, type), at.origin);
    for (const ComponentEntry* entry : found)
      d.notes.push_back(fmt::format(
          "{} {}: {}", entry->plugin->id, entry->plugin->version, entry->plugin->path()));
    d.fix = fmt::format("{} = \"{}:{}\"",
                        path.ends_with(".type") ? path : path + ".type",
                        found.front()->plugin->id,
                        found.front()->name);
    return nullptr;
  }
  const ComponentEntry* entry = found.front();
  UsedComponent use;
  use.path = path;
  use.kind = std::string(kind);
  use.type = type;
  use.entry = entry;
  use.origin = at.origin;
  used_.push_back(std::move(use));
  return entry;
}

// [model.layer.*] beside model.from may override single values of what config.json says; they are
// checked once it is read.
bool Checker::without_type(const std::string& interface_id,
                           const Node& given,
                           const std::string& path,
                           Node& out) {
  if (given.find("type") == nullptr && open_model_ && path.starts_with("model.")) {
    out = given;
    return true;
  }
  const std::string_view kind = kind_of(interface_id);
  const Node* type = given.find("type");
  Diagnostic& d =
      type != nullptr
          ? report("E110",
                   fmt::format(
                       "{}.type: expected the name of a component, got {}", path, brief(*type)),
                   type->origin)
          : report("E104",
                   fmt::format("[{}] names no `type`; known: {}", path, known_text(catalog_, kind)),
                   given.origin);
  const auto names = names_of(catalog_, kind);
  d.fix = fmt::format("{}.type = \"{}\"", path, names.empty() ? "…" : names.front());
  return false;
}

// Absent from the resolved recipe, where an absent part is none.
bool Checker::switched_off(const Slot* slot,
                           const std::string& default_type,
                           const Node& given,
                           const std::string& path,
                           Node& out) {
  out = Node();
  if (slot != nullptr || default_type.empty()) return true;
  report("E110", fmt::format("[{}] cannot be switched off", path), given.origin).fix =
      fmt::format("leave it out for \"{}\", or name another", default_type);
  return false;
}

bool Checker::component(const std::string& interface_id,
                        const Slot* slot,
                        const std::string& default_type,
                        const Node& given,
                        const std::string& path,
                        Node& out) {
  if (given.is_broken) return false;
  if (!given.is_table()) {
    Diagnostic& d =
        report("E110",
               fmt::format("{}: expected a table with a `type`, got {}", path, brief(given)),
               given.origin);
    if (given.is_string()) d.fix = fmt::format("{} = {{ type = {} }}", path, brief(given));
    return false;
  }
  const Node* type_node = given.find("type");
  if (type_node != nullptr && type_node->is_broken) return false;
  const bool is_text = type_node != nullptr && type_node->is_string() && !type_node->text().empty();
  const std::string type = is_text ? type_node->text()
                           : type_node == nullptr && !(open_model_ && path.starts_with("model."))
                               ? default_type
                               : "";
  if (type.empty()) return without_type(interface_id, given, path, out);
  if (type == "none" && catalog_.providers(kind_of(interface_id), type).empty())
    return switched_off(slot, default_type, given, path, out);
  const Node& place = type_node == nullptr ? given : *type_node;
  const ComponentEntry* entry = provider(kind_of(interface_id), type, place, path);
  const SchemaInfo* schema = entry == nullptr ? nullptr : schema_of(*entry, place);
  Block accepts;
  accepts.extra = {"type"};
  if (slot != nullptr)
    for (const FieldInfo& key : slot->keys) accepts.fields.push_back(&key);
  if (schema == nullptr) {  // only the slot's own keys can be checked
    for (const Node& child : given.children) accepts.extra.push_back(child.key);
    accepts.default_origin = Origin::of_default("Mortise");
    block(accepts, given, path, out);
    return false;
  }
  for (const FieldInfo& parameter : schema->fields) accepts.fields.push_back(&parameter);
  accepts.owner = owner_of(*entry);
  accepts.kind = std::string(kind_of(interface_id));
  accepts.type = entry->name;
  accepts.default_origin =
      Origin::of_default(fmt::format("{}@{}", entry->name, entry->plugin->version));
  const bool ok = block(accepts, given, path, out);
  Node named = Node::of(type, type_node == nullptr ? accepts.default_origin : type_node->origin);
  named.key = "type";
  named.key_origin = type_node == nullptr ? accepts.default_origin : type_node->key_origin;
  out.children.insert(out.children.begin(), std::move(named));
  if (ok) component_rules(*entry, out, given, path);
  return ok;
}

void Checker::component_rules(const ComponentEntry& entry,
                              const Node& out,
                              const Node& given,
                              const std::string& path) {
  const Value table = out.to_value();
  const Lookup lookup = lookup_in(table);
  const SchemaInfo& schema = entry.schema();
  const auto holds = [&](const std::string& expression, const std::string& message) {
    try {
      if (Expression(expression).holds(lookup)) return true;
      Diagnostic& d = report("E301",
                             fmt::format("[{}] {}: {} does not hold", path, message, expression),
                             given.origin);
      d.owner = owner_of(entry);
    } catch (const Error& error) {
      report("E301", fmt::format("[{}] {}: {}", path, message, error.message()), given.origin)
          .owner = owner_of(entry);
    }
    return false;
  };
  for (const Rule& rule : schema.rules) holds(rule.expression, rule.message);
  const auto active = [&](const std::vector<Capability>& list, std::vector<std::string>& to) {
    for (const Capability& c : list) {
      try {
        if (c.when.empty() || Expression(c.when).holds(lookup)) to.push_back(c.name);
      } catch (const Error&) {
        // The condition does not apply to these parameters, so neither does the capability; conform
        // checks that it parses.
      }
    }
  };
  for (UsedComponent& use : used_) {
    if (use.path != path || use.entry != &entry) continue;
    active(schema.provides, use.provides);
    active(schema.needs, use.needs);
    use.is_checked = true;
  }
}

}  // namespace mortise::core
