// The walk over the places of a recipe: core tables, slots and the names that users choose between
// them.
#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "mortise/expression.hpp"
#include "mortise/version_range.hpp"

#include "core/recipe/checker.hpp"
#include "core/recipe/suggest.hpp"
#include "toml_print.hpp"

namespace mortise::core {

// The tables and slots as a tree; the child "*" stands for names that the user chooses.
struct Checker::Shape {
  std::string name;
  const CoreTable* core = nullptr;
  const Slot* slot = nullptr;
  std::vector<Shape> children;

  const Shape* child(std::string_view key) const {
    for (const Shape& shape : children)
      if (shape.name == key || shape.name == "*") return &shape;
    return nullptr;
  }

  Shape& make(std::string_view path) {
    const size_t dot = path.find('.');
    const std::string_view head = path.substr(0, dot);
    auto it = std::find_if(
        children.begin(), children.end(), [&](const Shape& s) { return s.name == head; });
    if (it == children.end())
      it = children.insert(children.end(), Shape{std::string(head), nullptr, nullptr, {}});
    return dot == std::string_view::npos ? *it : it->make(path.substr(dot + 1));
  }
};

const Checker::Shape& Checker::shape() {
  static const Shape root = [] {
    Shape out;
    for (const std::string& section : section_order())
      if (section != "vars" && section != "stage") out.make(section);
    for (const CoreTable& table : core_tables()) out.make(table.path).core = &table;
    for (const Slot& slot : slots()) out.make(slot.path).slot = &slot;
    return out;
  }();
  return root;
}

Diagnostic& Checker::report(std::string code, std::string message, const Origin& origin) {
  Diagnostic& d = pending_.emplace_back();
  d.code = std::move(code);
  d.message = std::move(message);
  d.origin = origin;
  return d;
}

void Checker::flush() {
  for (Diagnostic& d : pending_) diagnostics_.add(std::move(d));
  pending_.clear();
}

void Checker::slot_place(const Shape& at, const Node& given, const std::string& path, Node& out) {
  Node value;
  component(at.slot->interface_id, at.slot, at.slot->default_type, given, path, value);
  value.key = given.key;
  value.key_origin = given.key_origin;
  if (!value.is_null()) out.put(given.key, std::move(value));
}

Node Checker::place(const Shape& at,
                    const Node* given,
                    const std::string& path,
                    const Origin& outer) {
  Node empty = Node::table(outer);
  if (given != nullptr && given->is_broken) given = nullptr;
  if (given != nullptr && !given->is_table()) {
    report("E110", fmt::format("{}: expected a table, got {}", path, brief(*given)), given->origin);
    given = nullptr;
  }
  const Node& table = given == nullptr ? empty : *given;
  Block accepts;
  accepts.default_origin = Origin::of_default("Mortise");
  if (at.core != nullptr)
    for (const FieldInfo& info : at.core->fields) accepts.fields.push_back(&info);
  for (const Shape& child : at.children) accepts.extra.push_back(child.name);
  const bool is_open = at.child("*") != nullptr && at.children.size() == 1;
  if (is_open)
    for (const Node& child : table.children) accepts.extra.push_back(child.key);
  Node out;
  block(accepts, table, path, out);
  for (const Node& child : table.children) {
    const Shape* below = at.child(child.key);
    if (below == nullptr) continue;
    const std::string child_path = join_path(path, toml_key(child.key));
    if (below->slot != nullptr) {
      slot_place(*below, child, child_path, out);
      continue;
    }
    Node value = place(*below, &child, child_path, outer);
    value.key_origin = child.key_origin;
    out.put(child.key, std::move(value));
  }
  const auto is_wanted = [&](const Shape& child) {
    return child.core != nullptr && child.name != "*" && child.name != "sweep" &&
           (child.name != "model" || has_model_) && table.find(child.name) == nullptr;
  };
  for (const Shape& child : at.children)  // tables nobody wrote: core's defaults
    if (is_wanted(child))
      out.put(child.name, place(child, nullptr, join_path(path, child.name), outer));
  return out;
}

void Checker::require_slots(const Node& out, const Node& root) {
  for (const Slot& slot : slots()) {
    const bool wanted = std::find(slot.required_for.begin(), slot.required_for.end(), task_) !=
                        slot.required_for.end();
    if (!wanted || (open_model_ && slot.path.starts_with("model."))) continue;
    const bool many = slot.path.ends_with(".*");
    const std::string path = many ? slot.path.substr(0, slot.path.size() - 2) : slot.path;
    const Node* there = out.find_path(path);
    if (there != nullptr && (!many || !there->children.empty())) continue;
    const Node* given = root.find_path(path);
    if (given != nullptr && !many && given->type() != "none")
      continue;  // already reported where it stands
    const Node* task = root.find_path("recipe.task");
    std::vector<std::string> names;
    for (const ComponentEntry* entry : catalog_.components(kind_of(slot.interface_id)))
      names.push_back(entry->name);
    const Origin& origin = given != nullptr  ? given->origin
                           : task != nullptr ? task->origin
                                             : root.origin;
    Diagnostic& d = report(
        "E103",
        fmt::format("task \"{}\" needs [{}{}]: {}", task_, path, many ? ".NAME" : "", slot.doc),
        origin);
    d.fix = fmt::format("[{}{}] with type = {}",
                        path,
                        many ? ".NAME" : "",
                        names.empty() ? "…" : fmt::format("\"{}\"", fmt::join(names, "\" or \"")));
  }
}

void Checker::requirements(const Node& plugins) {
  const Node* require = plugins.find("require");
  if (require == nullptr) return;
  for (const Node& item : require->children) {
    const auto& all = catalog_.plugins();
    const auto it = std::find_if(
        all.begin(), all.end(), [&](const PluginManifest& m) { return m.id == item.key; });
    if (!item.is_string()) continue;  // reported as a wrong type
    if (!is_version_range(item.text())) {
      report("E110",
             fmt::format("plugins.require: \"{}\" is no version range", item.text()),
             item.origin)
          .fix = "\"^1.2\", \">=1.0 <2\" or \"*\"";
    } else if (it == all.end()) {
      std::vector<std::string> ids;
      for (const PluginManifest& m : all) ids.push_back(m.id);
      Diagnostic& d = report(
          "E204",
          fmt::format(
              "the recipe requires plugin {} {}, which is not installed", item.key, item.text()),
          item.key_origin);
      d.suggestion = nearest(item.key, ids);
      d.notes.push_back(
          fmt::format("searched: {}", fmt::join(catalog_.search_path().folders, ", ")));
    } else if (!in_version_range(it->version, item.text())) {
      report("E204",
             fmt::format("the recipe requires plugin {} {}, installed is {} ({})",
                         item.key,
                         item.text(),
                         it->version,
                         it->folder),
             item.origin)
          .fix = "install a version in that range, or change plugins.require";
    }
  }
}

bool Checker::rule_holds(const RecipeRule& rule, const Node& out) {
  std::vector<std::unique_ptr<Value>> kept;  // the expression looks at values, the tree holds nodes
  const Lookup lookup = [&](std::string_view path) -> const Value* {
    const Node* node = out.find_path(path);
    return node == nullptr ? nullptr
                           : kept.emplace_back(std::make_unique<Value>(node->to_value())).get();
  };
  try {
    return Expression(rule.expression).holds(lookup);
  } catch (const Error&) {
    return true;  // a value has the wrong type, which is reported where it stands
  }
}

void Checker::recipe_rules(const Node& out) {
  for (const RecipeRule& rule : core::recipe_rules()) {
    if (std::find(rule.tasks.begin(), rule.tasks.end(), task_) == rule.tasks.end() ||
        rule_holds(rule, out))
      continue;
    const Node* place = nullptr;
    std::vector<std::string> shown, notes;
    for (const std::string& path : rule.places) {
      const Node* node = out.find_path(path);
      const bool written = node != nullptr && (node->origin.kind == Origin::Kind::File ||
                                               node->origin.kind == Origin::Kind::Override);
      if (node != nullptr && !node->is_table())
        shown.push_back(fmt::format("{} = {}", path, brief(*node)));
      if (place != nullptr && written && !node->is_table())
        notes.push_back(fmt::format("{}: {}", path, node->origin.place()));
      if (place == nullptr && written) place = node;
    }
    const std::string values = shown.empty() ? "" : fmt::format(" ({})", fmt::join(shown, ", "));
    Diagnostic& d =
        report(rule.code, rule.message + values, place == nullptr ? out.origin : place->origin);
    d.fix = rule.fix;
    d.notes = std::move(notes);
  }
}

Node Checker::recipe(const Node& root) {
  const Node* task = root.find_path("recipe.task");
  task_ = task != nullptr && task->is_string() ? task->text() : "train";
  const Node* from = root.find_path("model.from");
  open_model_ = from != nullptr && from->is_string() && !from->text().empty();
  has_model_ = task_ == "train" || root.find("model") != nullptr;
  Node bare = root;
  Node vars;
  if (const Node* given = root.find("vars")) {
    vars = *given;
    if (!given->is_table())
      report("E110", fmt::format("vars: expected a table, got {}", brief(*given)), given->origin);
    bare.erase("vars");
  }
  Node checked = place(shape(), &bare, "", root.origin);
  if (!vars.is_null()) checked.put("vars", std::move(vars));
  Node out = Node::table(root.origin);
  for (const std::string& section : section_order())
    if (Node* node = checked.find(section)) out.children.push_back(std::move(*node));
  require_slots(out, root);
  if (const Node* plugins = out.find("plugins")) requirements(*plugins);
  recipe_rules(out);
  capabilities();
  packing(out);
  in_backward(out);
  precision(out);
  profiled_steps(out);
  named_scores(out);
  flush();
  return out;
}

}  // namespace mortise::core
