// Logging for plugins and core: formatted here with fmt, written by whatever sink the host
// installed.
//
// error = the run stops; warn = the user should act; info = once per phase; debug = per step.
// One event per line with a `key=value` tail.  Plugins never write to stdout.
#pragma once

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "mortise/api.hpp"

namespace mortise::log {

enum class Level : int { Debug = 0, Info = 1, Warn = 2, Error = 3, Off = 4 };

/// Receives one formatted line without a newline.  Must be callable from any thread.
using Sink = void (*)(void* context, Level level, std::string_view line);

/// Installs the host's sink; null restores the default (stderr, warn and above).  [main-thread]
MORTISE_API void set_sink(Sink sink, void* context, Level threshold);
MORTISE_API Level threshold() noexcept;
MORTISE_API void write(Level level, std::string_view line);

template <class... Args>
void at(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (level >= threshold()) write(level, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::Debug, format, std::forward<Args>(args)...);
}

template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::Info, format, std::forward<Args>(args)...);
}

template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::Warn, format, std::forward<Args>(args)...);
}

template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::Error, format, std::forward<Args>(args)...);
}

}  // namespace mortise::log
