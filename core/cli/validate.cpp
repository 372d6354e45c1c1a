// mortise validate RECIPE: all mistakes in one pass.  Reads manifests only; opens no plugin, no
// weights, no device.
#include <cstdio>

#include <fmt/format.h>

#include "mortise/json.hpp"

#include "core/cli/arguments.hpp"
#include "core/cli/verbs.hpp"
#include "core/recipe/resolve.hpp"
#include "core/recipe/sweep.hpp"

namespace mortise::core {

int run_validate(const std::vector<std::string>& words) {
  const Arguments arguments("validate", words);
  const std::string& path = arguments.only("RECIPE");
  const Catalog catalog = arguments.catalog();
  ResolveOptions options;
  options.overrides = arguments.overrides();
  Outcome outcome = check_recipe(path, catalog, options);
  const std::vector<SweepRun> runs =
      outcome.ok() ? check_sweep(path, catalog, options, outcome) : std::vector<SweepRun>();
  if (!outcome.ok()) throw RecipeErrors(std::move(outcome.diagnostics));
  if (arguments.has("json")) {
    Value out = Value::table();
    out["ok"] = true;
    out["task"] = outcome.resolved.task;
    out["components"] = static_cast<int64_t>(outcome.resolved.components.size());
    out["runs"] = static_cast<int64_t>(std::max<size_t>(runs.size(), 1));
    out["warnings"] = Value::array();
    for (const Diagnostic& d : outcome.resolved.warnings)
      out["warnings"].as_array().push_back(to_value(d));
    print(to_json(out, 2) + "\n");
    return 0;
  }
  std::fputs(outcome.resolved.warnings.empty()
                 ? ""
                 : render(outcome.resolved.warnings, use_color(words)).c_str(),
             stderr);
  const std::string sweep = runs.empty() ? "" : fmt::format(", a sweep of {} runs", runs.size());
  print(fmt::format("{} is fine: task {}, {} components{}\n",
                    path,
                    outcome.resolved.task,
                    outcome.resolved.components.size(),
                    sweep));
  return 0;
}

}  // namespace mortise::core
