// The training run: prepare → build → train → finish.
#include "core/engine/train/job.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/log.hpp"
#include "mortise/torch/trace.hpp"
#include "mortise/units.hpp"

#include "core/engine/verbs.hpp"
#include "core/plugin/plugin_host.hpp"
#include "core/run/lock.hpp"

namespace mortise::core {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Keeps what evaluation and generation need out of the peak of the training steps.
class Apart {
 public:
  Apart(Device& device, int64_t& peak) : device_(device), peak_(peak) { device_.reset_peak(); }

  ~Apart() {
    peak_ = std::max(peak_, device_.memory().peak_bytes);
    device_.reset_peak();
  }

  Apart(const Apart&) = delete;
  Apart& operator=(const Apart&) = delete;

 private:
  Device& device_;
  int64_t& peak_;
};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

TrainJob::TrainJob(const EngineCall& call)
    : call_(call),
      directory_(RunDirectory::open(call.options->at("run_dir").as_string())),
      resume_(call.options->get("resume", false)),
      progress_(
          Progress::choose(call.options->get("json", false), call.options->get("quiet", false))) {}

int TrainJob::run() {
  try {
    prepare();
    build();
    train();
    const bool interrupted = stopped() && trainer_->steps_done() < space_.total_steps;
    finish(guard_stop_ ? "stopped" : interrupted ? "interrupted" : "done");
    return static_cast<int>(status_.exit_code);
  } catch (Error& error) {
    const auto last = CheckpointFolder(directory_.file("ckpt")).latest();
    if (trainer_ != nullptr)
      error.add_context(fmt::format("at step {} of {}; the last checkpoint is {}",
                                    trainer_->steps_done(),
                                    space_.total_steps,
                                    last ? *last : "none"));
    fail(error);
    throw;
  } catch (
      const std::exception& error) {  // LibTorch's; the engine's entry turns it into one of ours
    fail(Error(Code::Internal, error.what()));
    throw;
  }
}

void TrainJob::prepare() {
  status_.task = "train";
  status_.name = call_.recipe->at("recipe").get("name", "run");
  if (resume_) earlier_seconds_ = directory_.status().wall_seconds;
  directory_.write_status(status_);
  progress_.event("start", fmt::format("run directory {}", directory_.path()), [&] {
    Value fields = Value::table();
    fields["run_dir"] = directory_.path();
    return fields;
  }());
  WorkspaceOptions options;
  const std::string tokenizer = directory_.file("tokenizer");
  if (resume_ && std::filesystem::exists(tokenizer)) options.saved_tokenizer = tokenizer;
  const auto begin = Clock::now();
  space_ = make_workspace(*call_.recipe, *call_.host, options);
  if (options.saved_tokenizer.empty()) space_.tokenizer->save(directory_.folder("tokenizer"));
  status_.total_steps = space_.total_steps;
  log::info("data ready documents={} tokens={} rows={} seconds={:.1f}",
            space_.tokens.num_documents(),
            space_.tokens.num_tokens(),
            space_.rows->num_rows(),
            seconds_since(begin));
  const Value* notes = call_.options->find("notes");
  plan_ = make_plan(space_, *call_.host, notes == nullptr ? Value::table() : *notes);
  if (!resume_) write_file(directory_.file("plan.txt"), plan_.text);
  progress_.event("plan", plan_.text, plan_.value);
  if (plan_.memory.peak >= space_.device->total_bytes())
    log::warn("the plan needs more memory than there is peak={} total={}",
              bytes_text(plan_.memory.peak),
              bytes_text(space_.device->total_bytes()));
}

void TrainJob::build() {
  at::manual_seed(static_cast<uint64_t>(
      space_.tables.run.seed));  // LibTorch seeds its own generator by the clock
  model_ = build_model(space_, space_.model_spec, space_.device->device());
  std::optional<std::string> from;
  if (resume_) from = CheckpointFolder(directory_.file("ckpt")).latest();
  if (!from) fill_model(*model_, space_, call_);
  trainer_ = std::make_unique<Trainer>(space_, model_, make_references(space_, call_));
  if (from) {
    trainer_->restore(CheckpointReader(*from));
    progress_.event(
        "resume",
        fmt::format("continuing after step {} of {}", trainer_->steps_done(), space_.total_steps));
  }
  first_step_ = saved_step_ = trainer_->steps_done();
  if (!from) saved_step_ = -1;
  check_lock();
  continue_ = make_continue(*model_, space_);
  evaluator_ = std::make_unique<Evaluator>(space_, *model_, continue_);
  RunInfo info;
  info.directory = directory_.path();
  info.name = status_.name;
  info.recipe = read_file(directory_.file("resolved.toml"));
  info.plan = plan_.text;
  info.total_steps = space_.total_steps;
  info.resumed_step = first_step_;
  report_ = std::make_unique<Report>(space_.recipe, *call_.host, info);
  if (first_step_ == 0) self_check_ = std::make_unique<SelfCheck>(*model_);
  space_.device->reset_peak();
}

void TrainJob::check_lock() {
  LockFacts facts;
  if (const auto* host = dynamic_cast<const PluginHost*>(call_.host))
    facts.plugins = host->loaded();
  facts.data_fingerprint = space_.corpus.fingerprint;
  facts.tokenizer_fingerprint = space_.tokenizer->fingerprint();
  facts.isa = lower(at::get_cpu_capability());
  facts.threads = at::get_num_threads();
  const Value lock = make_lock(facts);
  if (const std::string path = call_.options->get("locked", ""); !path.empty())
    check_locked(read_lock(path), lock, path);
  if (resume_ && std::filesystem::exists(directory_.file("lock.toml"))) {
    for (const TreeDifference& risk : bit_risks(read_lock(directory_.file("lock.toml")), lock))
      log::warn("the bits of this resumed run may differ: {} was {} and is {}",
                risk.path,
                risk.before,
                risk.after);
    return;
  }
  write_file(directory_.file("lock.toml"), lock_text(lock));
}

void TrainJob::train() {
  train_start_ = last_log_ = Clock::now();
  while (trainer_->steps_done() < space_.total_steps && !stopped()) {
    const auto begin = Clock::now();
    const StepResult result = step();
    train_seconds_ += seconds_since(begin);
    train_peak_ = std::max(train_peak_, space_.device->memory().peak_bytes);
    after_step(result);
  }
  if (stopped() && !guard_stop_)
    progress_.event("stop", "stopping after this step: saving a checkpoint");
  if (trainer_->steps_done() != saved_step_) save();
}

StepResult TrainJob::step() {
  const std::vector<int64_t>& chosen = space_.tables.profile.steps;
  const int64_t number = trainer_->steps_done() + 1;
  if (std::find(chosen.begin(), chosen.end(), number) == chosen.end()) return trainer_->step();
  StepResult result;
  const std::string path = fmt::format("{}/step-{}.json", directory_.folder("profile"), number);
  record_trace(path, fmt::format("step {}", number), [&] { result = trainer_->step(); });
  progress_.event("profile", fmt::format("profile {}", path));
  return result;
}

void TrainJob::obey(const std::vector<GuardEvent>& events) {
  for (const GuardEvent& event : events) {
    progress_.event("guard", text_of(event));
  }
  const GuardAction action = strongest(events);
  if (action == GuardAction::Stop) guard_stop_ = true;
  if (action == GuardAction::Stop) status_.message = text_of(events.front());
  if (action == GuardAction::Rollback) roll_back(text_of(events.front()));
}

void TrainJob::roll_back(const std::string& why) {
  constexpr int64_t kMost = 8;  // a run that falls back again and again does not train
  const auto last = CheckpointFolder(directory_.file("ckpt")).latest();
  if (!last || ++rollbacks_ > kMost)
    throw Error(Code::Gate,
                last ? fmt::format("{}; the run was rolled back {} times already", why, kMost)
                     : why + "; there is no checkpoint to roll back to",
                last ? "lower optimizer.lr, or look at the data" : "set checkpoint.every");
  trainer_->roll_back(CheckpointReader(*last));
  report_->rewound(status_.step, trainer_->steps_done(), why);
  progress_.event(
      "rollback",
      fmt::format(
          "back to step {}, with the data after step {}", trainer_->steps_done(), status_.step));
}

void TrainJob::after_step(const StepResult& result) {
  status_.step = result.step;
  tokens_since_log_ += result.num_inputs;
  tokens_here_ += result.num_inputs;
  if (self_check_ != nullptr) {
    self_check_->after_step(result.updated ? result.lr : 0);
    if (result.step == SelfCheck::kSteps || result.step == space_.total_steps) {
      self_check_->finish(/*exact=*/space_.tables.run.dtype == "fp32" &&
                          space_.tables.run.precision.empty());
      self_check_.reset();
    }
  }
  log_step(result);
  obey(result.events);
  if (result.step == space_.total_steps || trainer_->steps_done() != result.step)
    return;  // the end has its own evaluation, samples and checkpoint
  evaluate(result.step, /*at_end=*/false);
  if (space_.tables.generate.every > 0 && result.step % space_.tables.generate.every == 0)
    samples(result.step);
  if (space_.tables.checkpoint.every > 0 && result.step % space_.tables.checkpoint.every == 0)
    save();
}

void TrainJob::log_step(const StepResult& result) {
  const bool due = result.step % space_.tables.log.every == 0 || result.step == 1 ||
                   result.step == space_.total_steps;
  const double since = std::max(1e-9, seconds_since(last_log_));
  ProgressStep shown;
  shown.step = result.step;
  shown.total = space_.total_steps;
  shown.loss = result.loss;
  shown.lr = result.lr;
  shown.grad_norm = result.grad_norm;
  shown.tokens_per_s = static_cast<double>(tokens_since_log_) / since;
  shown.tensor_bytes = train_peak_;
  const int64_t done = result.step - first_step_;
  shown.eta_seconds = seconds_since(train_start_) / static_cast<double>(done) *
                      static_cast<double>(space_.total_steps - result.step);
  shown.interval = due;
  progress_.step(shown);
  if (!due) return;
  std::vector<Scalar> values = {
      {"loss", result.loss},
      {"lr", result.lr},
      {"grad_norm", result.grad_norm},
      {"tokens_per_s", shown.tokens_per_s},
      {"tensor_mib", static_cast<double>(shown.tensor_bytes) / (1 << 20)}};
  for (const auto& [name, value] : result.parts) values.push_back({name, value});
  report_->scalars(result.step, values);
  tokens_since_log_ = 0;
  last_log_ = Clock::now();
}

void TrainJob::evaluate(int64_t step, bool at_end) {
  const auto begin = Clock::now();
  const Apart apart(*space_.device, other_peak_);
  const Ema::Swap average(space_.tables.ema.evaluate ? trainer_->ema() : nullptr);
  for (EvalResult& result : evaluator_->run(step, at_end)) {
    progress_.event(
        "eval", fmt::format("step {}  {}", step, result_line(result)), to_value(result, step));
    if (!result.baseline.empty()) {
      const Score& ours = result.report.scores.front();
      const Score& base = result.baseline.front();
      if (at_end)
        headline_ = fmt::format("{} {:.2f} on {} (unigram baseline {:.1f}, ratio {:.4f})",
                                ours.name,
                                ours.value,
                                result.report.data,
                                base.value,
                                ours.value / base.value);
      result.report.scores.push_back({"unigram_" + base.name, base.value});
    }
    write_file(fmt::format("{}/{}.json", directory_.folder("eval"), result.report.name),
               to_json(to_value(result, step), 1) + "\n");
    add_scores(status_.scores, result.report);
    report_->scores(step, result.report);
    for (const Score& score : result.report.scores)
      obey(trainer_->observe(result.report.name + "." + score.name, score.value));
  }
  last_log_ += std::chrono::duration_cast<Clock::duration>(
      Clock::now() - begin);  // evaluation is no training time
}

void TrainJob::samples(int64_t step) {
  const GenerateTable& table = space_.tables.generate;
  if (table.prompts.empty()) return;
  const auto begin = Clock::now();
  const Apart apart(*space_.device, other_peak_);
  const Ema::Swap average(space_.tables.ema.evaluate ? trainer_->ema() : nullptr);
  const std::vector<std::string> texts = continue_(table.prompts, table.max_new_tokens);
  std::string markdown = fmt::format("# Samples after step {}\n", step);
  for (size_t i = 0; i < texts.size(); ++i) {
    markdown += fmt::format("\n> **{}**{}\n", table.prompts[i], texts[i]);
    Value fields = Value::table();
    fields["step"] = step;
    fields["prompt"] = table.prompts[i];
    fields["text"] = texts[i];
    progress_.event(
        "sample", fmt::format("sample  {}|{}", table.prompts[i], texts[i]), std::move(fields));
  }
  write_file(fmt::format("{}/step-{}.md", directory_.folder("samples"), step), markdown);
  report_->text(step, "samples", markdown);
  last_log_ += std::chrono::duration_cast<Clock::duration>(Clock::now() - begin);
}

void TrainJob::save() {
  const auto begin = Clock::now();
  report_->flush();
  CheckpointFolder(directory_.folder("ckpt"))
      .save(trainer_->checkpoint(), space_.tables.checkpoint.keep);
  saved_step_ = trainer_->steps_done();
  status_.wall_seconds = wall_seconds();
  directory_.write_status(status_);
  log::info("checkpoint step={} seconds={:.2f}", saved_step_, seconds_since(begin));
  last_log_ += std::chrono::duration_cast<Clock::duration>(Clock::now() - begin);
}

double TrainJob::wall_seconds() const { return earlier_seconds_ + seconds_since(start_); }

double TrainJob::tokens_per_second() const {
  return static_cast<double>(tokens_here_) / std::max(1e-9, train_seconds_);
}

Facts TrainJob::facts() const {
  Facts facts;
  if (!headline_.empty()) facts.emplace_back("result", headline_);
  facts.emplace_back("parameters", grouped(plan_.parameters));
  facts.emplace_back("tokens", grouped(trainer_->tokens_seen()));
  facts.emplace_back("training speed", fmt::format("{:.0f} tokens/s", tokens_per_second()));
  const int64_t planned = plan_.memory.peak, measured = train_peak_;
  facts.emplace_back("peak tensor memory",
                     fmt::format("{} measured, {} planned ({:+.1f} %)",
                                 bytes_text(measured),
                                 bytes_text(planned),
                                 100.0 * static_cast<double>(planned - measured) /
                                     static_cast<double>(std::max<int64_t>(1, measured))));
  if (other_peak_ > train_peak_) facts.emplace_back("peak of evaluation", bytes_text(other_peak_));
  facts.emplace_back("peak resident memory", bytes_text(peak_resident_bytes()));
  facts.emplace_back("time",
                     fmt::format("{} in all, {} in training steps",
                                 duration_text(wall_seconds()),
                                 duration_text(train_seconds_)));
  return facts;
}

void TrainJob::finish(std::string_view status) {
  if (status == "done") {
    evaluate(trainer_->steps_done(), /*at_end=*/true);
    samples(trainer_->steps_done());
    const Ema::Swap average(space_.tables.ema.exported ? trainer_->ema() : nullptr);
    for (const std::string& line : export_all(*model_, space_, call_, directory_.path()))
      progress_.event("export", line);
  }
  RunSummary summary;
  summary.status = status;
  summary.steps = trainer_->steps_done();
  summary.wall_seconds = wall_seconds();
  summary.facts = facts();
  Value fields = Value::table();
  std::string text;
  for (const auto& [name, value] : summary.facts) {
    text += fmt::format("{}{:<22} {}", text.empty() ? "" : "\n", name, value);
    fields[name] = value;
  }
  report_->finish(summary);
  status_.status = status;
  status_.exit_code = status == "done"      ? 0
                      : status == "stopped" ? static_cast<int64_t>(Code::Gate)
                                            : static_cast<int64_t>(Code::Interrupted);
  status_.wall_seconds = wall_seconds();
  status_.measures = Value::Table{{"trainable", plan_.trainable},
                                  {"peak_mib", static_cast<double>(train_peak_) / (1 << 20)},
                                  {"tokens_per_s", std::round(tokens_per_second())}};
  directory_.write_status(status_);
  fields["status"] = status_.status;
  fields["scores"] = status_.scores;
  progress_.event("summary", text, std::move(fields));
  if (status != "done")
    progress_.event("interrupted",
                    fmt::format("continue with: mortise run --resume {}", directory_.path()));
}

// Says what happened in every place that will be read later; a second failure (a full disk) must
// not hide the first.
void TrainJob::fail(const Error& error) noexcept {
  try {
    status_.status = "failed";
    status_.exit_code = static_cast<int64_t>(error.code());
    status_.message = error.message();
    status_.wall_seconds = wall_seconds();
    directory_.write_status(status_);
    if (report_ == nullptr) return;
    RunSummary summary;
    summary.status = "failed";
    summary.steps = trainer_ == nullptr ? 0 : trainer_->steps_done();
    summary.wall_seconds = wall_seconds();
    summary.facts = {{"error", error.message()}};
    report_->finish(summary);
  } catch (const std::exception& second) {
    log::error("the failure could not be recorded: {}", second.what());
  }
}

int run_train(const EngineCall& call) { return TrainJob(call).run(); }

}  // namespace mortise::core
