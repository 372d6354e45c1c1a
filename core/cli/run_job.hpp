// Running one resolved job in a run directory of its own: what `run`, sweeps and stages share.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "core/cli/arguments.hpp"
#include "core/plugin/plugin_host.hpp"
#include "core/recipe/resolve.hpp"
#include "core/recipe/stage.hpp"
#include "core/run/run_directory.hpp"

namespace mortise::core {

/// What the command line decides, for every job of one command.
struct JobContext {
  const Catalog& catalog;
  PluginHost& host;
  bool json = false, quiet = false;
  std::string locked;  // path of a lock.toml; empty: none
};

struct JobResult {
  int exit_code = 0;
  std::string directory;
  Scores scores;
  std::vector<std::pair<std::string, double>> shown;  // what it took; the first score of each eval
  std::string failure;  // of a run of a sweep that ended with an error
};

/// Becomes the number of the first SIGINT or SIGTERM; a second one ends the process.   Thread:
/// [any-thread].
const std::atomic<int>& stop_signal();
void install_signals();

/// Resolves a recipe; model.from's folder, when it exists, completes [model].  Throws:
/// RecipeErrors.
Resolved resolve_job(const std::string& path, const JobContext& context, ResolveOptions options);
/// Writes the recipe's texts into the directory and runs the job in it.  Throws: Error.
JobResult run_job(const Resolved& resolved,
                  const RunDirectory& directory,
                  const JobContext& context,
                  bool resume = false);
/// {plugins, changed, dropped} for plan.txt.
Value plan_notes(const Resolved& resolved);
/// Checks [gate]; says each failure on stderr.  Returns 0 or 4.
int check_gates_of(const Resolved& resolved,
                   const Scores& scores,
                   const std::vector<std::pair<std::string, Scores>>& earlier);

}  // namespace mortise::core
