// The engine's verb "evaluate": a model on data, with every [eval.*] of the recipe.
//
// Options of the call: run_dir (text, made by the CLI), json, quiet (flags).
#include <chrono>

#include <ATen/ATen.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/units.hpp"

#include "core/engine/evaluate/evaluator.hpp"
#include "core/engine/train/model_io.hpp"
#include "core/engine/train/progress.hpp"
#include "core/engine/train/report.hpp"
#include "core/engine/verbs.hpp"
#include "core/run/run_directory.hpp"

namespace mortise::core {

namespace {

void evaluate_model(const EngineCall& call,
                    const RunDirectory& directory,
                    Progress& progress,
                    RunStatus& status) {
  WorkspaceOptions options;
  options.train = false;
  const Workspace space = make_workspace(*call.recipe, *call.host, options);
  MORTISE_CHECK(space.model_spec.is_table() && space.tokenizer != nullptr,
                "evaluating on data needs [model] and [tokenizer]");
  const auto model = build_base(space.model_spec, space.tables, *call.host, space.device->device());
  fill_model(*model, space, call);
  Evaluator evaluator(space, *model, make_continue(*model, space), make_references(space, call));
  RunInfo info;
  info.directory = directory.path();
  info.name = status.name;
  info.recipe = read_file(directory.file("resolved.toml"));
  Report report(space.recipe, *call.host, info);
  for (const EvalResult& result : evaluator.run(/*step=*/1, /*at_end=*/true)) {
    progress.event("eval", result_line(result), to_value(result, 0));
    write_file(fmt::format("{}/{}.json", directory.folder("eval"), result.report.name),
               to_json(to_value(result, 0), 1) + "\n");
    add_scores(status.scores, result.report);
    report.scores(0, result.report);
  }
  RunSummary summary;
  summary.status = "done";
  summary.facts = {{"peak tensor memory", bytes_text(space.device->memory().peak_bytes)},
                   {"peak resident memory", bytes_text(peak_resident_bytes())}};
  report.finish(summary);
}

}  // namespace

int run_evaluate(const EngineCall& call) {
  const RunDirectory directory = RunDirectory::open(call.options->at("run_dir").as_string());
  Progress progress(
      Progress::choose(call.options->get("json", false), call.options->get("quiet", false)));
  const auto begin = std::chrono::steady_clock::now();
  RunStatus status;
  status.task = "evaluate";
  status.name = call.recipe->at("recipe").get("name", "run");
  const auto finish = [&](const char* word, Code code) {
    status.status = word;
    status.exit_code = static_cast<int64_t>(code);
    status.wall_seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    directory.write_status(status);
  };
  directory.write_status(status);
  try {
    evaluate_model(call, directory, progress, status);
  } catch (const Error& error) {
    status.message = error.message();
    finish("failed", error.code());
    throw;
  }
  finish("done", Code{0});
  return 0;
}

}  // namespace mortise::core
