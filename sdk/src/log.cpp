// The log sink of the process: one per process, because libmortise_sdk is shared by host and
// plugins.
#include "mortise/log.hpp"

#include <atomic>
#include <cstdio>
#include <string>

namespace mortise::log {

namespace {

void write_to_stderr(void*, Level level, std::string_view line) {
  static constexpr const char* kNames[] = {"debug", "info", "warn", "error"};
  std::fprintf(stderr,
               "%s: %.*s\n",
               kNames[static_cast<int>(level)],
               static_cast<int>(line.size()),
               line.data());
}

struct State {
  Sink sink = &write_to_stderr;
  void* context = nullptr;
};

State& state() {
  static State instance;
  return instance;
}

std::atomic<Level> threshold_level{Level::Warn};

}  // namespace

void set_sink(Sink sink, void* context, Level threshold) {
  state() = sink == nullptr ? State{} : State{sink, context};
  threshold_level = threshold;
}

Level threshold() noexcept { return threshold_level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view line) { state().sink(state().context, level, line); }

}  // namespace mortise::log
