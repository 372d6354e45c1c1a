// A training run from its recipe to its report: the engine's verb "train".
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "core/engine/engine.hpp"
#include "core/engine/train/model_io.hpp"
#include "core/engine/train/plan.hpp"
#include "core/engine/train/progress.hpp"
#include "core/engine/train/report.hpp"
#include "core/engine/train/self_check.hpp"
#include "core/engine/train/trainer.hpp"

namespace mortise::core {

/// Options of the call: run_dir (text, made by the CLI), resume, json, quiet (flags), locked (path
/// of a lock.toml), notes (see make_plan).   Thread: [main-thread].
class TrainJob {
 public:
  explicit TrainJob(const EngineCall& call);
  /// Returns the exit code: 0, or 130 after a signal.  Throws: Error; then status.json says
  /// "failed".
  int run();

 private:
  void prepare();  // workspace, lock, plan
  void build();    // model, trainer, evaluator, trackers; resumes
  void train();    // the loop
  void finish(std::string_view status);
  void fail(const Error& error) noexcept;

  StepResult step();  // with a trace when [profile] asks for it
  void after_step(const StepResult& result);
  void log_step(const StepResult& result);
  void evaluate(int64_t step, bool at_end);
  void samples(int64_t step);
  void save();
  /// Says what the guards said and carries out what the trainer left: Rollback, Stop.
  void obey(const std::vector<GuardEvent>& events);
  void roll_back(const std::string& why);
  void check_lock();

  bool stopped() const {
    return guard_stop_ || (call_.stop_signal != nullptr && *call_.stop_signal != 0);
  }

  double wall_seconds() const;
  double tokens_per_second() const;
  Facts facts() const;

  const EngineCall& call_;
  RunDirectory directory_;
  bool resume_ = false;
  Progress progress_;
  RunStatus status_;
  Workspace space_;
  JobPlan plan_;
  std::shared_ptr<LanguageModel> model_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<Evaluator> evaluator_;
  std::unique_ptr<Report> report_;
  std::unique_ptr<SelfCheck> self_check_;
  Continue continue_;

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point train_start_, last_log_;
  double earlier_seconds_ = 0;  // of the runs that this one continues
  double train_seconds_ = 0;    // in steps only
  int64_t tokens_since_log_ = 0, tokens_here_ = 0, first_step_ = 0, saved_step_ = -1;
  int64_t train_peak_ = 0;  // tensor bytes, in steps only: what the plan is about
  int64_t other_peak_ = 0;  // in evaluation and generation
  bool guard_stop_ = false;
  int64_t rollbacks_ = 0;
  std::string headline_;  // "perplexity 31.2 (unigram 610, ratio 0.051)"
};

}  // namespace mortise::core
