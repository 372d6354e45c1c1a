// The recipe engine from outside: a path in, a checked and completed tree out.
//
//   Resolved r = resolve("a.toml", catalog, {});                    // throws RecipeErrors with all
//   mistakes at once auto run = describe<RunTable>().read(r.tree.at("run"), nullptr); Value own =
//   component_config(r.tree.at("optimizer"), *find_slot("optimizer"));
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/plugin/catalog.hpp"
#include "core/recipe/compose.hpp"
#include "core/recipe/diagnostics.hpp"

namespace mortise::core {

struct ResolveOptions {
  std::vector<Override> overrides;
  std::string run_dir;  // replaces ${run.dir}; empty: it stays in the tree
  const Value* model_spec =
      nullptr;  // what an architecture made of model.from's config.json: stands below [model]
  std::string model_folder;        // where that came from, for messages
  std::string model_architecture;  // which component read it: exports default to it
};

/// A component that the recipe uses.
struct UsedComponent {
  std::string path;                          // "model.layer.dense.attention"
  std::string kind;                          // "attention"
  std::string type;                          // as the recipe names it
  const ComponentEntry* entry = nullptr;     // Lifetime: the catalog's
  std::vector<std::string> provides, needs;  // capabilities that hold with these parameters
  bool is_checked = false;  // false: its parameters are wrong, capabilities unknown
  Origin origin;            // of the `type`
};

/// One change between two trees.
struct Change {
  std::string path, before, after;  // as text; empty: absent
  Origin old_origin, new_origin;    // of a side that is absent: none
};

/// A recipe with all defaults filled in; a stage of a pipeline has the same form.
struct Resolved {
  std::string task, name;
  Value tree;  // what a job reads; of a pipeline: recipe, run and stage.NAME
  Node nodes;  // the same with origins
  std::vector<UsedComponent> components;
  std::vector<Diagnostic> warnings;
  std::vector<Dropped> dropped;
  std::vector<Change> changed;  // what the recipe and --set make of what `extends` gave; tables
                                // that are new are one entry
  std::vector<std::shared_ptr<const SourceFile>> files;  // the recipe first, then what it includes
  std::vector<Resolved> stages;  // of a pipeline, in order; `name` is the stage's
};

/// All that one reading finds; `resolved` is complete only when there are no errors.
struct Outcome {
  Resolved resolved;
  std::vector<Diagnostic> diagnostics;  // sorted, warnings included
  std::vector<std::string>
      missing;  // "optimizer/lorax", sorted: components that no plugin provides
  bool ok() const;
};

/// Reads and checks.  Never throws for what a recipe contains.   Thread: [main-thread].
Outcome check_recipe(const std::string& path,
                     const Catalog& catalog,
                     const ResolveOptions& options = {});
Outcome check_recipe_text(std::string text,
                          const std::string& path,
                          const Catalog& catalog,
                          const ResolveOptions& options = {});
/// Throws: RecipeErrors.
Resolved resolve(const std::string& path,
                 const Catalog& catalog,
                 const ResolveOptions& options = {});

/// Checks a job again whose model folder was not there when it was resolved (the model.from of a
/// later stage), with what that folder says below it.  Throws: RecipeErrors.
Resolved complete(const Resolved& job, const Catalog& catalog, const ResolveOptions& options);

/// resolved.toml: runnable alone, gives the same values back.
std::string to_toml(const Resolved& resolved);
/// The same with the origin of each value behind it.
std::string to_toml_with_origins(const Resolved& resolved);

std::vector<Change> diff(const Resolved& before, const Resolved& after);

}  // namespace mortise::core
