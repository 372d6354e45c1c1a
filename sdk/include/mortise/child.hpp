// Runs a program in a spawned child (posix_spawn, never fork: a forked child of a process with
// OpenMP threads hangs) and collects what it says, with a time limit.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/api.hpp"

namespace mortise {

struct MORTISE_API ChildResult {
  int exit_code = -1;  // -1: ended by a signal
  int signal = 0;
  bool timed_out = false;  // then killed
  std::string out;         // stdout; empty when lines were streamed
  std::string err;         // stderr, its last 64 KiB
  /// "crashed with SIGSEGV (segmentation fault)", "ended with exit code 3", "did not end within 20
  /// s".
  std::string how_it_ended() const;
};

struct ChildOptions {
  double timeout_s = 60;  // since the start, or since the last line when lines are streamed
  std::function<void(std::string_view line)> on_line;  // streams stdout
};

/// argv[0] is a path.  Throws: Error{Io} when the program cannot be started.   Thread:
/// [any-thread].
MORTISE_API ChildResult run_child(const std::vector<std::string>& argv,
                                  const ChildOptions& options = {});

}  // namespace mortise
