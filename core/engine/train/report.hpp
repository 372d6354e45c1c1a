// All trackers of a run as one, the files of an evaluation, and the facts of the summary.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mortise/tracker.hpp"

#include "core/engine/evaluate/evaluator.hpp"
#include "core/run/run_directory.hpp"

namespace mortise::core {

/// Thread: [main-thread].
class Report {
 public:
  /// Makes and starts the trackers of [tracker.*].
  Report(const Value& recipe, Host& host, const RunInfo& info);
  void scalars(int64_t step, const std::vector<Scalar>& values);
  void text(int64_t step, std::string_view name, std::string_view text);
  void scores(int64_t step, const ScoreReport& report);
  /// The run goes back: trackers that know how (ext::Rewind) keep both attempts apart.
  void rewound(int64_t from, int64_t to, std::string_view why);
  void flush();
  void finish(const RunSummary& summary);

 private:
  std::vector<std::pair<std::string, std::unique_ptr<Tracker>>> trackers_;
};

/// The most memory that this process ever held in RAM.
int64_t peak_resident_bytes();

using Facts = std::vector<std::pair<std::string, std::string>>;

}  // namespace mortise::core
