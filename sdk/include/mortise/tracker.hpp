// Interface `tracker`: where a run's curves, samples and summary go.  Core calls it on rank 0 only.
//
// Order of calls: start (scalars | text | scores)* finish.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/component.hpp"
#include "mortise/host.hpp"
#include "mortise/layout.hpp"
#include "mortise/metric.hpp"

namespace mortise {

struct RunInfo {
  std::string directory;  // the run directory, absolute; a tracker writes below it only
  std::string name;       // of the recipe
  std::string recipe;     // resolved.toml, as text
  std::string plan;       // plan.txt, as text
  int64_t total_steps = 0;
  int64_t resumed_step = 0;  // > 0: this run goes on; what was logged after that step is dropped
};

struct Scalar {
  std::string_view name;  // "loss", "lr", "grad_norm", "tokens_per_s", …
  double value = 0;
};

/// Scores of one evaluation of one metric.
struct ScoreReport {
  std::string name;  // the recipe's name: "ppl" of [eval.ppl]
  std::string data;  // what was evaluated
  std::string signature;
  std::vector<Score> scores;
};

struct RunSummary {
  std::string status;  // "done", "interrupted", "failed"
  int64_t steps = 0;
  double wall_seconds = 0;
  std::vector<std::pair<std::string, std::string>>
      facts;  // shown as a table: "peak tensor memory" → "412 MiB"
};

namespace ext {

/// A tracker that tells the steps of a run that went back (a guard's rollback) from those that took
/// their place.  Without it the same numbers are logged twice and nothing says so.
class MORTISE_API Rewind {
 public:
  static constexpr const char* kExtension = "tracker.rewind/1";
  virtual ~Rewind();
  /// The run goes back from step `from` to the state after step `to`: what was logged after `to`
  /// was given up, and those numbers come again.   Thread: [main-thread].
  virtual void rewound(int64_t from, int64_t to, std::string_view why) = 0;
};

}  // namespace ext

class MORTISE_API Tracker : public Component {
 public:
  using Interface = Tracker;
  using Args = NoArgs;
  using Extensions = detail::ExtensionList<ext::Rewind>;
  static constexpr const char* kInterface = "tracker/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_COMMON_TYPES,
                               MORTISE_TYPE(RunInfo),
                               MORTISE_MEMBER(RunInfo, resumed_step),
                               MORTISE_TYPE(Scalar),
                               MORTISE_TYPE(ScoreReport),
                               MORTISE_TYPE(RunSummary),
                               MORTISE_MEMBER(RunSummary, facts)});
  }

  /// Opens its files.  Throws: Error{Io}.   Thread: [main-thread], as all calls here.
  virtual void start(const RunInfo& info) = 0;
  /// Logs the values of one step; must not block on slow storage.  Lifetime: the span lives for the
  /// call.
  virtual void scalars(int64_t step, std::span<const Scalar> values) = 0;

  /// Logs a text, for example generated samples (Markdown).
  virtual void text(int64_t /*step*/, std::string_view /*name*/, std::string_view /*text*/) {}

  virtual void scores(int64_t /*step*/, const ScoreReport& /*report*/) {}

  /// Makes what was logged so far durable.
  virtual void flush() {}

  virtual void finish(const RunSummary& summary) = 0;
};

}  // namespace mortise
