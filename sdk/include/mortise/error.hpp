// Errors as a product: what was wrong, what was expected, how to fix it, and where, one line a
// layer.
//
// The classes are exported from libmortise_sdk, so that they are caught by type across shared
// libraries. MORTISE_CHECK* is for wrong input and throws; MORTISE_ASSERT is for our own bugs and
// aborts.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "mortise/api.hpp"

namespace mortise {

/// What kind of failure this is.  The value is also the exit code of the CLI.  Persistent: scripts
/// test it.
enum class Code : int32_t {
  Usage = 2,         // recipe, command line, wrong argument
  DoesNotFit = 3,    // the plan does not fit the machine
  Gate = 4,          // a gate or a guard stopped the run
  Data = 5,          // input files: data, tokenizer, weights
  Plugin = 6,        // a plugin is missing, refused or misbehaves
  Internal = 70,     // our bug
  Io = 74,           // disk full, permission, …
  Peer = 75,         // another rank failed
  Interrupted = 130  // stopped by a signal, checkpoint saved
};

/// The base of all errors.  `message` is lower case and ends with the runtime values; `hint` tells
/// the fix.
class MORTISE_API Error : public std::exception {
 public:
  Error(Code code, std::string message, std::string hint = {});
  ~Error() override;
  Error(const Error&) = default;
  Error& operator=(const Error&) = default;

  Code code() const noexcept { return code_; }

  const std::string& message() const noexcept { return message_; }

  const std::string& hint() const noexcept { return hint_; }

  /// From the innermost to the outermost layer: "while building [model.router]".
  const std::vector<std::string>& context() const noexcept { return context_; }

  /// Appends one layer; call it while rethrowing with `throw;`.
  void add_context(std::string line);
  /// The message, the hint and the context, one a line.  Lifetime: until the next call on this
  /// object.
  const char* what() const noexcept override;

 private:
  Code code_;
  std::string message_;
  std::string hint_;
  std::vector<std::string> context_;
  mutable std::string what_;
};

/// A mistake in a recipe, with its place.
class MORTISE_API RecipeError : public Error {
 public:
  RecipeError(std::string place, std::string message, std::string hint = {});
  ~RecipeError() override;

  /// "file:line:col", or "override --set a.b=5 (argument 3)".
  const std::string& place() const noexcept { return place_; }

 private:
  std::string place_;
};

/// A plugin that is missing, refused or misbehaves.
class MORTISE_API PluginError : public Error {
 public:
  explicit PluginError(std::string message, std::string hint = {});
  ~PluginError() override;
};

/// An input file that is wrong: records, tokenizers, weights.
class MORTISE_API DataError : public Error {
 public:
  explicit DataError(std::string message, std::string hint = {});
  ~DataError() override;
};

namespace detail {
[[noreturn]] MORTISE_API void throw_check(std::string message);
[[noreturn]] MORTISE_API void abort_assert(const char* condition,
                                           const char* file,
                                           int line,
                                           std::string message);
}  // namespace detail

}  // namespace mortise

/// Throws Error{Usage} with a formatted message unless `condition` holds: wrong input.
#define MORTISE_CHECK(condition, ...)                             \
  do {                                                            \
    if (!(condition)) [[unlikely]]                                \
      ::mortise::detail::throw_check(::fmt::format(__VA_ARGS__)); \
  } while (false)

#define MORTISE_CHECK_OP_(op, a, b, ...)                                                   \
  do {                                                                                     \
    const auto& mortise_a = (a);                                                           \
    const auto& mortise_b = (b);                                                           \
    if (!(mortise_a op mortise_b)) [[unlikely]]                                            \
      ::mortise::detail::throw_check(::fmt::format("{}: expected {} {} {}, got {} and {}", \
                                                   ::fmt::format(__VA_ARGS__),             \
                                                   #a,                                     \
                                                   #op,                                    \
                                                   #b,                                     \
                                                   mortise_a,                              \
                                                   mortise_b));                            \
  } while (false)

/// Like MORTISE_CHECK, and prints both values.
#define MORTISE_CHECK_EQ(a, b, ...) MORTISE_CHECK_OP_(==, a, b, __VA_ARGS__)
#define MORTISE_CHECK_LE(a, b, ...) MORTISE_CHECK_OP_(<=, a, b, __VA_ARGS__)
#define MORTISE_CHECK_LT(a, b, ...) MORTISE_CHECK_OP_(<, a, b, __VA_ARGS__)

/// Aborts with a backtrace unless `condition` holds: our bug, never reachable from user input.
#define MORTISE_ASSERT(condition, ...)                                                             \
  do {                                                                                             \
    if (!(condition)) [[unlikely]]                                                                 \
      ::mortise::detail::abort_assert(#condition, __FILE__, __LINE__, ::fmt::format(__VA_ARGS__)); \
  } while (false)
