// Writes tb/events.out.tfevents.TIME.PID: `tensorboard --logdir runs` shows every run below runs/.
// A resumed run opens a file of its own and marks its first step as a restart, which hides what the
// earlier file holds from there on.  A run that goes back says the same in its file, so that
// TensorBoard draws one value a step, and leaves the text "rollback" at the step it went back to.
#include "tensorboard.hpp"

#include <chrono>
#include <filesystem>

#include <unistd.h>

#include "mortise/pytext.hpp"

#include "event.hpp"

namespace mortise::tracker::tensorboard {

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

void Tensorboard::start(const RunInfo& info) {
  const std::string folder = info.directory + "/tb";
  std::filesystem::create_directories(folder);
  const double time = now();
  file_.reset();
  file_.emplace(fmt::format(
      "{}/events.out.tfevents.{}.{}", folder, static_cast<int64_t>(time * 1e6), ::getpid()));
  write(version_event(time));
  if (info.resumed_step > 0) write(restart_event(time, info.resumed_step + 1));
}

void Tensorboard::write(const std::string& event) {
  MORTISE_CHECK(file_.has_value(), "a tracker's start() comes before anything is logged");
  file_->append(record(event));
}

void Tensorboard::scalars(int64_t step, std::span<const Scalar> values) {
  std::string summary;
  for (const Scalar& scalar : values)
    summary += scalar_value(fmt::format("train/{}", scalar.name), static_cast<float>(scalar.value));
  write(summary_event(now(), step, summary));
}

void Tensorboard::text(int64_t step, std::string_view name, std::string_view text) {
  write(
      summary_event(now(), step, text_value(pytext::repair_utf8(name), pytext::repair_utf8(text))));
}

void Tensorboard::scores(int64_t step, const ScoreReport& report) {
  std::string summary;
  for (const Score& score : report.scores)
    summary += scalar_value(fmt::format("eval/{}/{}", report.name, score.name),
                            static_cast<float>(score.value));
  write(summary_event(now(), step, summary));
}

void Tensorboard::rewound(int64_t from, int64_t to, std::string_view why) {
  write(restart_event(now(), to + 1));
  text(to, "rollback", fmt::format("from step {} to step {}: {}", from, to, why));
}

void Tensorboard::flush() {
  if (file_) file_->flush();
}

void Tensorboard::finish(const RunSummary& summary) {
  std::string text = "| | |\n|---|---|\n";
  for (const auto& [name, value] : summary.facts) text += fmt::format("| {} | {} |\n", name, value);
  write(summary_event(now(), summary.steps, text_value("summary", pytext::repair_utf8(text))));
  flush();
}

}  // namespace mortise::tracker::tensorboard

MORTISE_PLUGIN("org.mortise.tracker.tensorboard",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::tracker::tensorboard::Tensorboard>(
                   "tensorboard", "TensorBoard event files in tb/"));
