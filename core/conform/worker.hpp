// The child of `mortise conform`: loads one plugin, runs checks from a number on, and says line by
// line what happens.
//
// Lines on stdout, JSON each: {"event":"plan","checks":[…]}, {"event":"start","check":3},
// {"event":"pass"|"fail"|"skip","check":3,"ms":1.5,"text":"…"}, {"event":"done"}.
// What the plugin itself prints goes to stderr.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mortise::core {

struct WorkerOptions {
  std::string library;       // absolute path of the plugin
  std::string probe_folder;  // holds plugin.toml, fresh, and a link to the library
  std::string example_file;  // conform.toml; empty: none
  std::vector<std::string> plugin_paths, suites;
  uint64_t seed = 1;
  int64_t first = 0;          // checks before it ran in another child
  std::vector<int64_t> only;  // numbers; empty: all
  bool plan_only = false;
};

/// Runs the checks.  Returns the exit code of the child: 0 whenever it got to the end.
int run_conform_worker(const WorkerOptions& options);

}  // namespace mortise::core
