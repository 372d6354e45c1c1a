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

namespace {

// What a component needs that takes rows of one document.
constexpr std::string_view kUnpacked = "unpacked";
// What a guard needs that leaves the update of a step out when it has seen the gradients.
constexpr std::string_view kWholeGradient = "whole_gradient";

bool is_on(const Node* node) {
  return node != nullptr && node->kind == Value::Kind::Bool && node->scalar.as_bool();
}

bool has(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

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

void Checker::capabilities() {
  const auto is_layer = [](const UsedComponent& use) { return use.kind == "layer"; };
  const bool has_layers = std::any_of(used_.begin(), used_.end(), is_layer);
  for (const UsedComponent& use : used_)
    for (const std::string& need : use.needs) {
      // The blocks of a model.from are not known before its folder is read.
      if (use.kind == "adapter" && !has_layers) continue;
      if (need == kUnpacked || need == kWholeGradient) continue;  // packing(), in_backward()
      bool is_met = false, by_attention = false;
      std::vector<const UsedComponent*> lacking;  // an adapter works in every attention
      for (const UsedComponent& other : used_) {
        const bool is_attention = other.kind == "attention", provides = has(other.provides, need);
        is_met = is_met || provides;
        by_attention = by_attention || (is_attention && provides);
        if (use.kind == "adapter" && is_attention && other.is_checked && !provides)
          lacking.push_back(&other);
      }
      if (is_met && (!by_attention || lacking.empty())) continue;
      const std::string who =
          lacking.empty()
              ? "no component of this recipe provides"
              : fmt::format("[{}] \"{}\" lacks", lacking.front()->path, lacking.front()->type);
      Diagnostic& d = report(
          "E305",
          fmt::format(
              "[{}] \"{}\" needs the capability `{}`, which {}", use.path, use.type, need, who),
          use.origin);
      for (const UsedComponent* other : lacking)
        d.notes.push_back(
            fmt::format("[{}] \"{}\": {}", other->path, other->type, other->origin.place()));
      d.fix = providers_of(need);
      if (use.kind == "adapter")
        d.fix += (d.fix.empty() ? "" : ", or ") + std::string("another adapter.type");
    }
}

std::string Checker::providers_of(const std::string& capability) const {
  std::vector<std::string> able;
  for (const ComponentEntry* entry : catalog_.components()) {
    try {
      for (const Capability& c : entry->schema().provides)
        if (c.name == capability)
          able.push_back(fmt::format("{} \"{}\"{}",
                                     kind_of(entry->interface_id),
                                     entry->name,
                                     c.when.empty() ? "" : " when " + c.when));
    } catch (const Error&) {
      continue;  // a broken manifest is reported where it is used
    }
  }
  return able.empty() ? "" : fmt::format("use {}", fmt::join(able, " or "));
}

// Rows that hold several documents, each to be seen alone, need attentions that can tell them
// apart.
void Checker::packing(const Node& out) {
  const Node* packing = out.find_path("batch.packing");
  const Node* mask = out.find_path("batch.document_mask");
  if (task_ != "train" || !is_on(packing)) return;
  for (const UsedComponent& use : used_) {
    if (!use.is_checked) continue;
    if (has(use.needs, kUnpacked)) {
      report("E305",
             fmt::format("[{}] \"{}\" takes rows of one document, and batch.packing = true puts "
                         "several into one",
                         use.path,
                         use.type),
             use.origin)
          .fix = "batch.packing = false";
      continue;
    }
    if (!is_on(mask) || use.kind != "attention" || has(use.provides, "varlen")) continue;
    Diagnostic& d = report(
        "E305",
        fmt::format("[{}] \"{}\" lacks the capability `varlen`, which batch.packing = true needs: "
                    "a packed row holds several documents",
                    use.path,
                    use.type),
        use.origin);
    d.notes.push_back(fmt::format("batch.packing = true: {}", packing->origin.place()));
    const std::string other = providers_of("varlen");
    d.fix = "batch.packing = false" + (other.empty() ? "" : ", or " + other);
  }
}

// Parameters that move before the backward pass ends leave nothing to look at as a whole.
void Checker::in_backward(const Node& out) {
  const Node* key = out.find_path("optimizer.in_backward");
  if (task_ != "train" || !is_on(key)) return;
  for (const UsedComponent& use : used_) {
    if (!use.is_checked) continue;
    const bool is_lacking = use.kind == "optimizer" && !has(use.provides, "in_backward");
    if (!is_lacking && !has(use.needs, kWholeGradient)) continue;
    const char* what =
        is_lacking
            ? "lacks the capability `in_backward`, which optimizer.in_backward = true needs: "
              "to move parameters one by one"
            : "may leave an update out when it has seen the gradients, and "
              "optimizer.in_backward = true has made it by then";
    Diagnostic& d =
        report("E305", fmt::format("[{}] \"{}\" {}", use.path, use.type, what), use.origin);
    d.notes.push_back(fmt::format("optimizer.in_backward = true: {}", key->origin.place()));
    d.fix = "optimizer.in_backward = false";
  }
}

void Checker::precision(const Node& out) {
  const Node *dtype = out.find_path("run.dtype"), *device = out.find_path("run.device");
  if (dtype == nullptr || device == nullptr || !dtype->is_string() || !device->is_string() ||
      dtype->text() == "fp32")
    return;
  for (const ComponentEntry* entry : catalog_.providers("device", device->text())) {
    const SchemaInfo* schema = schema_of(*entry, *device);
    if (schema == nullptr ||
        std::any_of(schema->provides.begin(), schema->provides.end(), [&](const Capability& c) {
          return c.name == dtype->text();
        }))
      continue;
    Diagnostic& d = report("E305",
                           fmt::format("run.device \"{}\" does not compute in {}, which run.dtype "
                                       "asks for",
                                       device->text(),
                                       dtype->text()),
                           dtype->origin);
    const std::string other = providers_of(dtype->text());
    d.fix = "run.dtype = \"fp32\"" + (other.empty() ? "" : ", or " + other);
  }
}

// A step that the run never reaches would leave no trace and say nothing.
void Checker::profiled_steps(const Node& out) {
  const Node *steps = out.find_path("profile.steps"), *last = out.find_path("run.steps");
  if (task_ != "train" || steps == nullptr || last == nullptr || last->kind != Value::Kind::Int)
    return;
  for (const Node& step : steps->children)
    if (step.kind == Value::Kind::Int && step.scalar.as_int() > last->scalar.as_int()) {
      Diagnostic& d = report("E415",
                             fmt::format("profile.steps names step {}, and the run ends after {}",
                                         step.scalar.as_int(),
                                         last->scalar.as_int()),
                             step.origin);
      d.notes.push_back(fmt::format("run.steps = {}: {}", brief(*last), last->origin.place()));
      d.fix = fmt::format("profile.steps = [{}]", last->scalar.as_int());
    }
}

void Checker::named_scores(const Node& out) {
  const Node* evals = out.find("eval");
  std::vector<std::string> known;
  if (evals != nullptr)
    for (const Node& eval : evals->children) known.push_back(eval.key);
  for (const NamedScore& named : scores_) {
    const size_t dot = named.score.find('.');
    const std::string name = named.score.substr(0, dot);
    const Node* eval = evals == nullptr ? nullptr : evals->find(name);
    const Node* every = eval == nullptr ? nullptr : eval->find("every");
    const std::string what = fmt::format("{} = \"{}\"", named.path, named.score);
    if (dot == std::string::npos || dot + 1 == named.score.size()) {
      report("E306", what + ": expected EVAL.SCORE, as in \"ppl.perplexity\"", named.origin);
    } else if (eval == nullptr) {
      Diagnostic& d =
          report("E306",
                 fmt::format("{}: this score is not evaluated, there is no [eval.{}]", what, name),
                 named.origin);
      if (const std::string near = nearest(name, known); !near.empty())
        d.suggestion = near + named.score.substr(dot);
      d.fix = fmt::format("add [eval.{}] with `type` and `every`{}",
                          name,
                          known.empty() ? ""
                                        : fmt::format(", or name a score of [eval.{}]",
                                                      fmt::join(known, "], [eval.")));
    } else if (task_ == "train" && every != nullptr && every->scalar == Value(0)) {
      report("E306",
             fmt::format(
                 "{}: [eval.{}] is taken only when training ends, too late for it", what, name),
             named.origin)
          .fix = fmt::format("eval.{}.every = 100", name);
    } else {
      continue;
    }
    pending_.back().owner = named.owner;
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
