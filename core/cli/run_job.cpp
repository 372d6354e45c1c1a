// One job: directory, texts, and the call of the engine; scoring a file of predictions needs no
// engine.
#include "core/cli/run_job.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"

#include "core/cli/engine_loader.hpp"
#include "core/recipe/model_folder.hpp"
#include "core/run/scoring.hpp"

namespace mortise::core {

namespace fs = std::filesystem;

namespace {

std::atomic<int> caught_signal{0};

extern "C" void note_signal(int number) { caught_signal.store(number); }

/// True when a model is needed: some [eval.*] reads data instead of a file of predictions.
bool needs_model(const Value& tree) {
  const Value* evals = tree.find("eval");
  if (evals == nullptr) return true;
  for (const auto& [name, table] : evals->as_table())
    if (table.get("type", "") != "none" && !is_prediction_file(table.get("data", "dev")))
      return true;
  return false;
}

// task = "evaluate" over files: metrics only.
int score_files(const Value& tree, const RunDirectory& directory, const JobContext& context) {
  RunStatus status;
  status.task = "evaluate";
  status.name = tree.at("recipe").get("name", "run");
  for (const EvalSlot& eval : make_evals(tree, context.host)) {
    int64_t samples = 0;
    const ScoreReport report = score_file(eval, &samples);
    Value value = to_value(report);
    value["samples"] = samples;
    write_file(fmt::format("{}/{}.json", directory.folder("eval"), eval.name),
               to_json(value, 1) + "\n");
    add_scores(status.scores, report);
    print(context.json ? to_json(value) + "\n"
                       : fmt::format("{}\n  {}\n", score_line(report), report.signature));
  }
  status.status = "done";
  directory.write_status(status);
  return 0;
}

ResolveOptions with_folder(ResolveOptions options,
                           const ModelFolder& folder,
                           const std::string& from) {
  options.model_spec = &folder.spec;
  options.model_folder = from;
  options.model_architecture = folder.architecture;
  return options;
}

// A stage whose model.from an earlier stage wrote is checked again with what that folder says.
Resolved with_model_folder(const Resolved& job, const JobContext& context) {
  const Value* model = job.tree.find("model");
  const std::string from = model == nullptr ? "" : model->get("from", "");
  if (from.empty()) return job;
  const Node* layers = job.nodes.find_path("model.layer");
  const bool is_whole = layers != nullptr && !layers->children.empty() &&
                        std::none_of(layers->children.begin(),
                                     layers->children.end(),
                                     [](const Node& layer) { return layer.type().empty(); });
  if (is_whole && !fs::exists(from + "/config.json")) return job;
  ModelFolder folder = read_model_folder(from, context.catalog, context.host);
  if (is_whole) folder.spec = Value::table();  // then only exports ask who read it
  return complete(job, context.catalog, with_folder({}, folder, from));
}

// `out` is what a later stage reads: ${stage.NAME.out}.
void link_out(const RunDirectory& directory) {
  std::error_code reason;
  for (const auto& entry : fs::directory_iterator(directory.file("export"), reason)) {
    fs::create_directory_symlink(
        fs::path("export") / entry.path().filename(), directory.file("out"), reason);
    return;
  }
}

void add_status(JobResult& result, const RunDirectory& directory) {
  if (!fs::exists(directory.file("status.json"))) return;
  const RunStatus status = directory.status();
  for (const auto& [name, value] : status.measures.as_table())
    result.shown.emplace_back(name, value.as_float());
  std::string last;
  for (const auto& [name, value] : status.scores.as_table()) {
    result.scores[name] = value.as_float();
    const std::string eval = name.substr(0, name.find('.'));
    if (eval != last) result.shown.emplace_back(name, value.as_float());
    last = eval;
  }
}

int call_task(const Value& tree,
              const RunDirectory& directory,
              const JobContext& context,
              const Value& notes,
              bool resume) {
  const std::string task = tree.at("recipe").get("task", "train");
  if (task == "evaluate" && !needs_model(tree)) return score_files(tree, directory, context);
  Value options = Value::table();
  options["run_dir"] = directory.path();
  options["json"] = context.json;
  options["quiet"] = context.quiet;
  options["resume"] = resume;
  options["locked"] = context.locked;
  options["notes"] = notes;
  EngineCall call;
  call.verb = task;
  call.options = &options;
  call.recipe = &tree;
  call.host = &context.host;
  call.catalog = &context.catalog;
  call.stop_signal = &caught_signal;
  call.threads = tree.at("run").get("threads", int64_t{0});
  return call_engine(call);
}

// "optimizer.lr = 0.001 (base.toml:3:6) -> 2e-4 (lora.toml:8:6)"
std::string change_line(const Change& change) {
  const std::string now = fmt::format(
      "{} ({})", change.after.empty() ? "removed" : change.after, change.new_origin.place());
  if (change.before.empty()) return fmt::format("{} = {}, new", change.path, now);
  return fmt::format("{} = {} ({}) -> {}",
                     change.path,
                     change.before,
                     change.old_origin.place(),
                     change.after.empty() ? "removed" : now);
}

}  // namespace

const std::atomic<int>& stop_signal() { return caught_signal; }

void install_signals() {
  struct sigaction action {};

  action.sa_handler = note_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second signal ends the process at once
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

Resolved resolve_job(const std::string& path, const JobContext& context, ResolveOptions options) {
  Outcome first = check_recipe(path, context.catalog, options);
  const Value* model = first.resolved.tree.is_table() ? first.resolved.tree.find("model") : nullptr;
  const std::string from = model == nullptr || !model->is_table() ? "" : model->get("from", "");
  if (from.empty() || !fs::exists(from + "/config.json")) {
    if (!first.ok()) throw RecipeErrors(std::move(first.diagnostics));
    return std::move(first.resolved);
  }
  const ModelFolder folder = read_model_folder(from, context.catalog, context.host);
  return resolve(path, context.catalog, with_folder(std::move(options), folder, from));
}

Value plan_notes(const Resolved& resolved) {
  Value notes = Value::table();
  std::string plugins;
  for (const UsedComponent& used : resolved.components) {
    if (used.entry == nullptr) continue;
    const std::string name =
        fmt::format("{} {} {}", used.kind, used.type, used.entry->plugin->version);
    if (plugins.find(name) == std::string::npos) plugins += (plugins.empty() ? "" : " · ") + name;
  }
  notes["plugins"] = plugins;
  notes["dropped"] = Value::array();
  for (const Dropped& dropped : resolved.dropped)
    notes["dropped"].as_array().emplace_back(
        fmt::format("{} = {} of type {} ({}), because the type is now {} ({})",
                    dropped.path,
                    dropped.value,
                    dropped.old_type,
                    dropped.origin.place(),
                    dropped.new_type,
                    dropped.because.place()));
  notes["changed"] = Value::array();
  for (const Change& change : resolved.changed)
    notes["changed"].as_array().emplace_back(change_line(change));
  return notes;
}

JobResult run_job(const Resolved& job,
                  const RunDirectory& directory,
                  const JobContext& context,
                  bool resume) {
  const Resolved resolved = with_model_folder(job, context);
  RunTexts texts;
  if (!resolved.files.empty()) texts.recipe = resolved.files.front()->text;
  for (size_t i = 1; i < resolved.files.size(); ++i)
    texts.includes.emplace_back(resolved.files[i]->name, resolved.files[i]->text);
  texts.resolved = to_toml(resolved);
  texts.resolved_tree = resolved.tree;
  if (resume) {  // recipe.toml and includes/ stay as they were when the run began
    write_file(directory.file("resolved.toml"), texts.resolved);
    write_file(directory.file("resolved.json"), to_json(texts.resolved_tree, 1) + "\n");
  } else {
    directory.write_texts(texts);
  }
  JobResult result;
  result.directory = directory.path();
  result.exit_code = call_task(resolved.tree, directory, context, plan_notes(resolved), resume);
  if (result.exit_code == 0) link_out(directory);
  add_status(result, directory);
  return result;
}

int check_gates_of(const Resolved& resolved,
                   const Scores& scores,
                   const std::vector<std::pair<std::string, Scores>>& earlier) {
  const Value* gate = resolved.tree.find("gate");
  if (gate == nullptr || !gate->is_table()) return 0;
  const std::vector<GateFailure> failures = check_gate(scores, *gate, earlier);
  for (const GateFailure& failure : failures)
    std::fputs(fmt::format("gate: {}\n", failure.message).c_str(), stderr);
  return failures.empty() ? 0 : static_cast<int>(Code::Gate);
}

}  // namespace mortise::core
