// mortise run: a recipe becomes a run directory with everything in it.  Sweeps and pipelines are
// several such directories.
#include <filesystem>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"

#include "core/cli/engine_loader.hpp"
#include "core/cli/run_job.hpp"
#include "core/cli/verbs.hpp"
#include "core/recipe/sweep.hpp"
#include "core/run/lock.hpp"

namespace mortise::core {

namespace {

namespace fs = std::filesystem;

/// Makes the directory that a recipe asks for, and reads the recipe again with it and the threads
/// filled in.
struct Prepared {
  RunDirectory directory;
  Resolved resolved;
};

Prepared prepare(const std::string& path,
                 const JobContext& context,
                 const std::vector<Override>& overrides,
                 const std::string& suffix) {
  ResolveOptions options;
  options.overrides = overrides;
  const Resolved first = resolve_job(path, context, options);
  const Resolved& leading = first.stages.empty() ? first : first.stages.front();
  const Value* run = leading.tree.find("run");
  const std::string dir = run == nullptr ? "" : run->get("dir", "");
  RunDirectory directory =
      RunDirectory::create(suffix.empty() ? first.name : first.name + "-" + suffix,
                           suffix.empty() || dir.empty() ? dir : dir + "/" + suffix);
  options.run_dir = directory.path();
  if (run == nullptr || run->get("threads", int64_t{0}) ==
                            0)  // what was found is written down, so that a rerun has the same bits
    options.overrides.push_back({fmt::format("run.threads={}", usable_cpus()), 0});
  return {directory, resolve_job(path, context, options)};
}

using Results = std::vector<std::pair<std::string, JobResult>>;

/// One line a run: what it took and reached, with a column for each name that any of them has.
std::string results_table(const Results& results) {
  std::vector<std::string> columns;
  size_t widest = 3;
  for (const auto& [name, result] : results) {
    widest = std::max(widest, name.size());
    for (const auto& [column, value] : result.shown)
      if (std::find(columns.begin(), columns.end(), column) == columns.end())
        columns.push_back(column);
  }
  std::string table = fmt::format("\n{:<{}} {:>5}", "run", widest, "exit");
  for (const std::string& column : columns) table += fmt::format("  {:>10}", column);
  for (const auto& [name, result] : results) {
    table += fmt::format("\n{:<{}} {:>5}", name, widest, result.exit_code);
    if (!result.failure.empty()) {
      table += "  failed: " + result.failure.substr(0, result.failure.find('\n'));
      continue;
    }
    for (const std::string& column : columns) {
      const auto is_it = [&](const auto& shown) { return shown.first == column; };
      const auto found = std::find_if(result.shown.begin(), result.shown.end(), is_it);
      const size_t width = std::max<size_t>(10, column.size());
      table += found == result.shown.end() ? fmt::format("  {:>{}}", "", width)
                                           : fmt::format("  {:>{}.7g}", found->second, width);
    }
  }
  return table + "\n";
}

Value results_event(const char* event, const Results& results) {
  Value out = Value::Table{{"event", event}, {"runs", Value::array()}};
  for (const auto& [name, result] : results) {
    Value run = Value::Table{{"name", name},
                             {"directory", result.directory},
                             {"exit_code", int64_t{result.exit_code}},
                             {"scores", Value::table()}};
    for (const auto& [score, value] : result.scores) run["scores"][score] = value;
    for (const auto& [measure, value] : result.shown)
      if (!result.scores.contains(measure)) run[measure] = value;
    if (!result.failure.empty()) run["failure"] = result.failure;
    out["runs"].as_array().push_back(std::move(run));
  }
  return out;
}

void tell(const char* event, const Results& results, const JobContext& context) {
  print(context.json ? to_json(results_event(event, results)) + "\n" : results_table(results));
}

JobResult run_stages(const Prepared& job, const JobContext& context) {
  JobResult total;
  total.directory = job.directory.path();
  write_file(job.directory.file("recipe.toml"),
             job.resolved.files.empty() ? "" : job.resolved.files.front()->text);
  write_file(job.directory.file("resolved.toml"), to_toml(job.resolved));
  write_file(job.directory.file("resolved.json"), to_json(job.resolved.tree, 1) + "\n");
  RunStatus status;
  status.task = "pipeline";
  status.name = job.resolved.name;
  job.directory.write_status(status);
  std::vector<std::pair<std::string, Scores>> earlier;
  Results results;
  for (const Resolved& stage : job.resolved.stages) {
    if (!context.json) print(fmt::format("\n== stage {} ({})\n", stage.name, stage.task));
    const RunDirectory directory = RunDirectory::create(stage.name, job.directory.file(stage.name));
    JobResult result;
    try {
      result = run_job(stage, directory, context);
    } catch (const Error& error) {
      status.status = "failed";
      status.exit_code = static_cast<int>(error.code());
      status.message = fmt::format("stage {}: {}", stage.name, error.message());
      job.directory.write_status(status);
      throw;
    }
    for (const auto& [name, value] : result.scores) status.scores[stage.name + "." + name] = value;
    total.exit_code =
        result.exit_code != 0 ? result.exit_code : check_gates_of(stage, result.scores, earlier);
    result.exit_code = total.exit_code;
    results.emplace_back(stage.name, result);
    if (total.exit_code != 0) {
      status.message = fmt::format("stage {} ended with {}", stage.name, total.exit_code);
      break;
    }
    earlier.emplace_back(stage.name, result.scores);
  }
  tell("pipeline", results, context);
  status.status = total.exit_code == 0                                     ? "done"
                  : total.exit_code == static_cast<int>(Code::Interrupted) ? "interrupted"
                                                                           : "failed";
  status.exit_code = total.exit_code;
  job.directory.write_status(status);
  return total;
}

JobResult run_one(const std::string& path,
                  const JobContext& context,
                  const std::vector<Override>& overrides,
                  const std::string& suffix = {}) {
  const Prepared job = prepare(path, context, overrides, suffix);
  if (!job.resolved.warnings.empty())
    std::fputs(render(job.resolved.warnings, /*color=*/false).c_str(), stderr);
  if (!job.resolved.stages.empty()) return run_stages(job, context);
  JobResult result = run_job(job.resolved, job.directory, context);
  if (result.exit_code == 0) result.exit_code = check_gates_of(job.resolved, result.scores, {});
  return result;
}

// A run of a sweep that fails is a row of its table: the others go on.
JobResult run_or_record(const std::string& path,
                        const JobContext& context,
                        const std::vector<Override>& overrides,
                        const std::string& name) {
  JobResult result;
  try {
    return run_one(path, context, overrides, name);
  } catch (const Error& error) {
    result.exit_code = static_cast<int>(error.code());
    result.failure = error.message();
    std::fputs(fmt::format("error: {}: {}\n", name, error.what()).c_str(), stderr);
  } catch (const std::exception& error) {  // LibTorch's, or no memory: of this run alone
    result.exit_code = static_cast<int>(Code::Internal);
    result.failure = error.what();
    std::fputs(fmt::format("error: {}: {}\n", name, error.what()).c_str(), stderr);
  }
  return result;
}

int run_sweep(const std::string& path,
              const JobContext& context,
              const std::vector<Override>& overrides,
              const std::vector<SweepRun>& runs) {
  Results results;
  int code = 0;
  for (const SweepRun& run : runs) {
    if (stop_signal() != 0) return static_cast<int>(Code::Interrupted);
    if (!context.json)
      print(fmt::format("\n== {} ({} of {})\n", run.name, results.size() + 1, runs.size()));
    std::vector<Override> all = overrides;
    all.insert(all.end(), run.overrides.begin(), run.overrides.end());
    results.emplace_back(run.name, run_or_record(path, context, all, run.name));
    if (results.back().second.exit_code != 0) code = results.back().second.exit_code;
  }
  tell("sweep", results, context);
  return code;
}

int resume(const Arguments& arguments, const JobContext& context) {
  const RunDirectory directory = RunDirectory::open(arguments.get("resume"));
  ResolveOptions options;
  options.overrides = arguments.overrides();
  options.run_dir = directory.path();
  const std::string path =
      arguments.positional().empty() ? directory.file("resolved.toml") : arguments.only("RECIPE");
  const Resolved now = resolve_job(path, context, options);
  check_resumable(parse_json(read_file(directory.file("resolved.json"))), now.tree);
  JobResult result = run_job(now, directory, context, /*resume=*/true);
  if (result.exit_code == 0) result.exit_code = check_gates_of(now, result.scores, {});
  return result.exit_code;
}

}  // namespace

int run_run(const std::vector<std::string>& words) {
  const Arguments arguments("run", words);
  install_signals();
  const Catalog catalog = arguments.catalog();
  PluginHost host(catalog);
  const JobContext context{
      catalog, host, arguments.has("json"), arguments.has("quiet"), arguments.get("locked")};
  int code = 0;
  if (arguments.has("resume")) {
    code = resume(arguments, context);
  } else {
    const std::string& path = arguments.only("RECIPE");
    ResolveOptions options;
    options.overrides = arguments.overrides();
    Outcome outcome = check_recipe(path, catalog, options);
    const std::vector<SweepRun> runs =
        outcome.ok() ? check_sweep(path, catalog, options, outcome) : std::vector<SweepRun>();
    if (!outcome.ok()) throw RecipeErrors(std::move(outcome.diagnostics));
    code = runs.empty() ? run_one(path, context, options.overrides).exit_code
                        : run_sweep(path, context, options.overrides, runs);
  }
  host.shutdown();
  return code;
}

}  // namespace mortise::core
