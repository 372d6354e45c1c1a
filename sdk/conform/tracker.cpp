// Contract of `tracker`: writes below its run directory only, survives odd numbers, goes on after a
// resume.
#include "mortise/tracker.hpp"

#include <cmath>
#include <filesystem>
#include <limits>

#include "suites.hpp"

namespace mortise::conform {

namespace fs = std::filesystem;

namespace {

RunInfo run_in(const std::string& directory) {
  fs::create_directories(directory);
  RunInfo info;
  info.directory = directory;
  info.name = "conform \"<&>\"";
  info.recipe = "[run]\nsteps = 3\n";
  info.plan = "plan\n";
  info.total_steps = 3;
  return info;
}

void log_steps(Tracker& tracker, int64_t first, int64_t last) {
  for (int64_t step = first; step < last; ++step) {
    const Scalar values[] = {{"loss", 3.0 / static_cast<double>(step + 1)}, {"lr", 1e-3}};
    tracker.scalars(step, values);
  }
}

int64_t bytes_in(const std::string& directory) {
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  return bytes;
}

void whole_run(Factory& f) {
  const std::string directory = f.scratch() + "/run";
  const auto tracker = make<Tracker>(f);
  tracker->start(run_in(directory));
  log_steps(*tracker, 0, 3);
  tracker->text(2, "samples", "some *text*\n\nwith </script> in it");
  tracker->scores(2, {"ppl", "dev", "version:1", {{"perplexity", 12.5}}});
  tracker->flush();
  tracker->finish({"done", 3, 1.5, {{"peak", "12 MiB"}}});
  MORTISE_EXPECT(bytes_in(directory) > 0, "after a run there is nothing in its directory");
  size_t beside = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(f.scratch())) ++beside;
  MORTISE_EXPECT_EQ(beside, size_t{1}, "it writes outside the run directory");
}

void odd_numbers(Factory& f) {
  const auto tracker = make<Tracker>(f);
  tracker->start(run_in(f.scratch() + "/run"));
  const double inf = std::numeric_limits<double>::infinity();
  const Scalar values[] = {{"loss", std::nan("")},
                           {"lr", inf},
                           {"grad_norm", -inf},
                           {"tiny", std::numeric_limits<double>::denorm_min()}};
  tracker->scalars(0, values);
  tracker->scalars(1, {});
  const Scalar other[] = {{"a name, with \"commas\"", 1.0}};
  tracker->scalars(2, other);
  tracker->finish({"failed", 3, 0.0, {}});
}

void goes_on(Factory& f) {
  const std::string directory = f.scratch() + "/run";
  {
    const auto tracker = make<Tracker>(f);
    tracker->start(run_in(directory));
    log_steps(*tracker, 0, 8);
    tracker->finish({"interrupted", 8, 1.0, {}});
  }
  RunInfo info = run_in(directory);
  info.resumed_step = 5;
  const auto tracker = make<Tracker>(f);
  tracker->start(info);
  log_steps(*tracker, 5, 10);
  tracker->finish({"done", 10, 1.0, {}});
  MORTISE_EXPECT(bytes_in(directory) > 0, "after a resumed run there is nothing in its directory");
}

void dies_quietly(Factory& f) {
  const auto unused = make<Tracker>(f);
  const auto tracker = make<Tracker>(f);
  tracker->start(run_in(f.scratch() + "/run"));
  log_steps(*tracker, 0, 2);
}

void says_why(Factory& f) {
  const auto tracker = make<Tracker>(f);
  RunInfo info = run_in(f.scratch() + "/run");
  info.directory = f.scratch() + "/absent/run";
  try {
    tracker->start(info);
    log_steps(*tracker, 0, 1);
    tracker->finish({"done", 1, 0.0, {}});
  } catch (const Error& error) {
    MORTISE_EXPECT(!error.message().empty(), "an error has no message");
  }
}

}  // namespace

Suite tracker_suite() {
  return {"tracker",
          args<Tracker>,
          {{"writes a run into its directory and nowhere else", whole_run},
           {"survives NaN, infinity and odd names", odd_numbers},
           {"goes on after a resume", goes_on},
           {"is destroyed without finish()", dies_quietly},
           {"a directory that is absent is an error, not a crash", says_why}}};
}

}  // namespace mortise::conform
