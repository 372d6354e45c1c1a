// What a user sees while a job runs: a bar in a terminal, one line per interval in a pipe, events
// with --json.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "mortise/value.hpp"

namespace mortise::core {

enum class ProgressMode { Bar, Lines, Json, Quiet };

/// One observation of a running job.
struct ProgressStep {
  int64_t step = 0, total = 0;
  double loss = 0, lr = 0, grad_norm = 0, tokens_per_s = 0;
  int64_t tensor_bytes = 0;  // peak
  double eta_seconds = 0;
  bool interval = false;  // a line is due
};

/// Writes to stdout.   Thread: [main-thread].
class Progress {
 public:
  explicit Progress(ProgressMode mode) : mode_(mode) {}

  /// The mode for a job: `json` wins, then whether stdout is a terminal.
  static ProgressMode choose(bool json, bool quiet);
  void step(const ProgressStep& step);
  /// A phase or a result: `text` for people, `fields` (with the event's name) for --json.
  void event(std::string_view name, std::string_view text, Value fields = Value::table());

 private:
  void clear_bar();
  ProgressMode mode_;
  bool bar_shown_ = false;
  std::chrono::steady_clock::time_point last_bar_{};
};

}  // namespace mortise::core
