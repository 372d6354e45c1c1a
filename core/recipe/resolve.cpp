// compose → (per stage) merge, interpolate, check → one Outcome.
#include "core/recipe/resolve.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "core/recipe/checker.hpp"
#include "core/recipe/interpolate.hpp"
#include "core/recipe/stage.hpp"
#include "core/recipe/suggest.hpp"
#include "toml_print.hpp"

namespace mortise::core {

namespace {

std::string text_at(const Node& root, std::string_view path, const char* otherwise) {
  const Node* node = root.find_path(path);
  return node != nullptr && node->is_string() ? node->text() : otherwise;
}

// Without plugins' defaults a recipe shows them as they were at its making; what the architecture
// read stands below it.
void put_below(Node& root, const ResolveOptions& options, std::vector<Dropped>& dropped) {
  if (options.model_spec == nullptr) return;
  Node* exports = root.find("export");
  if (exports != nullptr && exports->is_table() && !options.model_architecture.empty())
    for (Node& table : exports->children) {
      const Node* given = table.find("architecture");
      if (table.is_table() && (given == nullptr || given->origin.kind == Origin::Kind::Default))
        table.put(
            "architecture",
            Node::of(options.model_architecture, Origin::of_model_folder(options.model_folder)));
    }
  Node base = Node::table(root.origin);
  base.put("model", Node::of(*options.model_spec, Origin::of_model_folder(options.model_folder)));
  const Origin origin = root.origin;
  merge(base, std::move(root), "", dropped);
  root = std::move(base);
  root.origin = origin;
}

Resolved resolve_one(Node root,
                     const ReferenceContext& context,
                     const Catalog& catalog,
                     const ResolveOptions& options,
                     Diagnostics& diagnostics,
                     std::set<std::string>& missing) {
  Resolved out;
  put_below(root, options, out.dropped);
  interpolate(root, context, diagnostics);
  Checker checker(catalog, diagnostics);
  out.nodes = checker.recipe(root);
  out.tree = out.nodes.to_value();
  out.task = text_at(out.nodes, "recipe.task", "train");
  out.name = text_at(out.nodes, "recipe.name", "run");
  out.components = checker.used();
  missing.insert(checker.missing().begin(), checker.missing().end());
  return out;
}

// A pipeline's own tree: recipe, and each stage whole under stage.NAME.
Resolved resolve_pipeline(Composed composed,
                          ReferenceContext context,
                          const Catalog& catalog,
                          const ResolveOptions& options,
                          Diagnostics& diagnostics,
                          std::set<std::string>& missing) {
  Resolved out;
  out.task = "pipeline";
  std::vector<StagePlan> plans = split_stages(composed, diagnostics);
  const Node* stage_table = composed.root.find("stage");
  const Node stages = stage_table == nullptr ? Node::table() : *stage_table;
  context.stages = &stages;
  out.nodes = Node::table(composed.root.origin);
  Node all = Node::table(stages.origin);
  for (StagePlan& plan : plans) {
    Resolved stage =
        resolve_one(std::move(plan.root), context, catalog, options, diagnostics, missing);
    if (out.nodes.find("recipe") == nullptr) {
      Node recipe = *stage.nodes.find("recipe");
      recipe.put("task", Node::of("pipeline", recipe.find("task")->origin));
      out.name = text_at(stage.nodes, "recipe.name", "run");
      out.nodes.put("recipe", std::move(recipe));
    }
    stage.name = plan.name;
    Node whole = stage.nodes;
    whole.erase("recipe");
    Node task = Node::of(stage.task, plan.origin);
    task.key = "task";
    whole.children.insert(whole.children.begin(), std::move(task));
    all.put(plan.name, std::move(whole));
    out.stages.push_back(std::move(stage));
  }
  out.nodes.put("stage", std::move(all));
  out.tree = out.nodes.to_value();
  for (const Resolved& stage : out.stages)
    out.components.insert(out.components.end(), stage.components.begin(), stage.components.end());
  check_gates(out, diagnostics);
  return out;
}

// `node` is on one side only.  `is_whole`: as one entry, else leaf by leaf.
void one_sided(const Node& node,
               const std::string& path,
               bool is_new,
               bool is_whole,
               std::vector<Change>& out) {
  if (!is_whole && node.is_table() && !node.children.empty()) {
    for (const Node& child : node.children)
      one_sided(child, join_path(path, toml_key(child.key)), is_new, is_whole, out);
    return;
  }
  std::string text = toml_inline(node.to_value());
  constexpr size_t kLong = 72;
  if (is_whole && text.size() > kLong) {
    size_t end = kLong - 2;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text = text.substr(0, end) + " …";
  }
  const Origin& origin = node.is_table() ? node.key_origin : node.origin;
  if (is_new)
    out.push_back({path, "", text, {}, origin});
  else
    out.push_back({path, text, "", origin, {}});
}

void compare(const Node& before,
             const Node& after,
             const std::string& path,
             bool is_whole,
             std::vector<Change>& out) {
  if (!before.is_table() || !after.is_table()) {
    if (!(before.to_value() == after.to_value()))
      out.push_back({path,
                     toml_inline(before.to_value()),
                     toml_inline(after.to_value()),
                     before.origin,
                     after.origin});
    return;
  }
  for (const Node& child : before.children) {
    const std::string below = join_path(path, toml_key(child.key));
    if (const Node* now = after.find(child.key))
      compare(child, *now, below, is_whole, out);
    else
      one_sided(child, below, /*is_new=*/false, is_whole, out);
  }
  for (const Node& child : after.children)
    if (before.find(child.key) == nullptr)
      one_sided(child, join_path(path, toml_key(child.key)), /*is_new=*/true, is_whole, out);
}

// Without what a change of `type` drops, which is listed on its own.
std::vector<Change> changes_of(const Composed& composed) {
  std::vector<Change> out;
  compare(composed.base, composed.root, "", /*is_whole=*/true, out);
  std::erase_if(out, [&](const Change& change) {
    return change.path == "run.threads" ||
           (change.after.empty() &&
            std::any_of(composed.dropped.begin(), composed.dropped.end(), [&](const Dropped& d) {
              return d.path == change.path;
            }));
  });
  return out;
}

Outcome finish(Composed composed,
               Diagnostics diagnostics,
               const Catalog& catalog,
               const ResolveOptions& options) {
  Outcome out;
  std::set<std::string> missing;
  const auto files = composed.files;
  const auto dropped = composed.dropped;
  std::vector<Change> changed = changes_of(composed);
  if (!diagnostics.has_syntax_errors()) {
    const ReferenceContext context{composed.recipe_dir, options.run_dir, nullptr};
    const bool is_pipeline = text_at(composed.root, "recipe.task", "train") == "pipeline";
    if (is_pipeline) {
      out.resolved =
          resolve_pipeline(std::move(composed), context, catalog, options, diagnostics, missing);
    } else {
      refuse_stages(composed.root, diagnostics);
      out.resolved =
          resolve_one(std::move(composed.root), context, catalog, options, diagnostics, missing);
      check_gates(out.resolved, diagnostics);
    }
  }
  out.resolved.files = files;
  out.resolved.changed = std::move(changed);
  out.resolved.dropped.insert(out.resolved.dropped.begin(), dropped.begin(), dropped.end());
  for (Resolved& stage : out.resolved.stages)  // each tells what it lost
    for (const Dropped& each : dropped)
      if (!each.path.starts_with("stage.") || each.path.starts_with("stage." + stage.name + "."))
        stage.dropped.push_back(each);
  out.diagnostics = diagnostics.sorted();
  for (const Diagnostic& d : out.diagnostics)
    if (d.is_warning()) out.resolved.warnings.push_back(d);
  out.missing.assign(missing.begin(), missing.end());
  return out;
}

void flatten(const Node& node,
             const std::string& path,
             std::vector<std::pair<std::string, const Node*>>& out) {
  if (!node.is_table() || node.children.empty()) {
    if (!path.empty()) out.emplace_back(path, &node);
    return;
  }
  for (const Node& child : node.children) flatten(child, join_path(path, toml_key(child.key)), out);
}

bool only_warnings(const std::vector<Diagnostic>& found) {
  return std::all_of(
      found.begin(), found.end(), [](const Diagnostic& d) { return d.is_warning(); });
}

}  // namespace

bool Outcome::ok() const { return only_warnings(diagnostics); }

Outcome check_recipe(const std::string& path,
                     const Catalog& catalog,
                     const ResolveOptions& options) {
  Diagnostics diagnostics;
  Composed composed = compose(path, options.overrides, diagnostics);
  return finish(std::move(composed), std::move(diagnostics), catalog, options);
}

Outcome check_recipe_text(std::string text,
                          const std::string& path,
                          const Catalog& catalog,
                          const ResolveOptions& options) {
  Diagnostics diagnostics;
  Composed composed = compose_text(std::move(text), path, options.overrides, diagnostics);
  return finish(std::move(composed), std::move(diagnostics), catalog, options);
}

Resolved resolve(const std::string& path, const Catalog& catalog, const ResolveOptions& options) {
  Outcome outcome = check_recipe(path, catalog, options);
  if (!outcome.ok()) throw RecipeErrors(std::move(outcome.diagnostics));
  return std::move(outcome.resolved);
}

Resolved complete(const Resolved& job, const Catalog& catalog, const ResolveOptions& options) {
  Resolved out = job;
  Node root = job.nodes;
  if (Node* model = root.find("model"))  // the folder's values win over defaults
    std::erase_if(model->children,
                  [](const Node& key) { return key.origin.kind == Origin::Kind::Default; });
  put_below(root, options, out.dropped);
  Diagnostics diagnostics;
  Checker checker(catalog, diagnostics);
  out.nodes = checker.recipe(root);
  out.tree = out.nodes.to_value();
  out.components = checker.used();
  std::vector<Diagnostic> found = diagnostics.sorted();
  if (!only_warnings(found)) throw RecipeErrors(std::move(found));
  return out;
}

std::string to_toml(const Resolved& resolved) { return toml_document(resolved.tree); }

std::string to_toml_with_origins(const Resolved& resolved) {
  std::vector<std::pair<std::string, const Node*>> leaves;
  flatten(resolved.nodes, "", leaves);
  return toml_document(resolved.tree, [&](const std::string& path) {
    const auto it = std::find_if(
        leaves.begin(), leaves.end(), [&](const auto& leaf) { return leaf.first == path; });
    return it == leaves.end() ? std::string() : it->second->origin.place();
  });
}

std::vector<Change> diff(const Resolved& before, const Resolved& after) {
  std::vector<Change> out;
  compare(before.nodes, after.nodes, "", /*is_whole=*/false, out);
  return out;
}

}  // namespace mortise::core
