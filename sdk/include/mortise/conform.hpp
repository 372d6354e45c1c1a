// Contract suites: what every implementation of an interface must do, tested through the plugin
// boundary.
//
//   void is_finite(Factory& f) {
//     const auto schedule = conform::make<Schedule>(f, {.total_steps = 10});
//     MORTISE_EXPECT(std::isfinite(schedule->factor(0)), "factor(0) is {}", schedule->factor(0));
//   }
//   MORTISE_CONFORM_SUITES({"schedule", conform::args<Schedule>, {{"factors are finite",
//   is_finite}}})
//
// `mortise conform plugin.so` runs each check in a spawned child that is replaced when a check
// crashes.  A suite is a shared library with one exported symbol; `--suite FILE.so` adds one of
// your own.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/host.hpp"
#include "mortise/schema_info.hpp"

namespace mortise::conform {

/// Makes the component under test.  Implemented by the runner.   Thread: [main-thread].
class MORTISE_API Factory {
 public:
  virtual ~Factory();
  virtual const std::string& name() const = 0;          // "lion"
  virtual const std::string& interface_id() const = 0;  // "optimizer/1.0"
  virtual const SchemaInfo& schema() const = 0;
  /// A complete valid table: the defaults, and over them [NAME.config] of conform.toml.
  virtual const Value& config() const = 0;
  /// [NAME] of conform.toml beside the sources: what a suite cannot invent (files, a config.json).
  /// A table, or null.
  virtual const Value& example() const = 0;
  /// Makes one component.  `args` points to the interface's Args.  Throws: what the constructor
  /// threw, as an Error.
  virtual void* create(const Value& config, const void* args) = 0;
  /// Makes other components, of any plugin on the search path.
  virtual Host& host() = 0;
  /// `--seed`: everything random in a check comes from it.
  virtual uint64_t seed() const = 0;
  /// An empty directory of this check, removed afterwards.
  virtual const std::string& scratch() const = 0;
};

/// Makes the component with the factory's table and `changes` over it.
template <class Interface>
std::unique_ptr<Interface> make(Factory& factory,
                                const typename Interface::Args& args = {},
                                const Value::Table& changes = {}) {
  Value config = factory.config();
  for (const auto& [key, value] : changes) config[key] = value;
  return std::unique_ptr<Interface>(static_cast<Interface*>(factory.create(config, &args)));
}

/// Example Args of an interface for the universal checks: default-constructed.
template <class Interface>
const void* args(Factory&) {
  static const typename Interface::Args instance{};
  return &instance;
}

struct Check {
  const char* name;  // a sentence in the present tense
  void (*run)(Factory& factory);
};

struct Suite {
  const char* kind;  // "optimizer"
  /// Args with which a component of this kind can be made at all.
  const void* (*example_args)(Factory& factory);
  std::vector<Check> checks;
};

/// Thrown by MORTISE_EXPECT.
class MORTISE_API Failure : public std::exception {
 public:
  explicit Failure(std::string message) : message_(std::move(message)) {}

  ~Failure() override;

  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

/// Thrown by skip(): the check does not apply, with the reason.
class MORTISE_API Skipped : public std::exception {
 public:
  explicit Skipped(std::string reason) : reason_(std::move(reason)) {}

  ~Skipped() override;

  const char* what() const noexcept override { return reason_.c_str(); }

 private:
  std::string reason_;
};

[[noreturn]] MORTISE_API void fail(std::string message);
[[noreturn]] MORTISE_API void skip(std::string reason);

using SuitesFn = const std::vector<Suite>* (*)();
constexpr const char* kSuitesSymbol = "mortise_conform_suites";

}  // namespace mortise::conform

/// Fails the running check with a formatted message unless `condition` holds.
#define MORTISE_EXPECT(condition, ...)                                      \
  do {                                                                      \
    if (!(condition)) ::mortise::conform::fail(::fmt::format(__VA_ARGS__)); \
  } while (false)

/// Fails unless both are equal, and prints them.
#define MORTISE_EXPECT_EQ(a, b, ...)                                                    \
  do {                                                                                  \
    const auto& mortise_a = (a);                                                        \
    const auto& mortise_b = (b);                                                        \
    if (!(mortise_a == mortise_b))                                                      \
      ::mortise::conform::fail(::fmt::format(__VA_ARGS__) +                             \
                               ::fmt::format(": got {} and {}", mortise_a, mortise_b)); \
  } while (false)

/// Fails unless the statement throws an Error with a message.
#define MORTISE_EXPECT_ERROR(statement, what)                                               \
  do {                                                                                      \
    bool mortise_threw = false;                                                             \
    try {                                                                                   \
      statement;                                                                            \
    } catch (const ::mortise::Error& mortise_error) {                                       \
      mortise_threw = !mortise_error.message().empty();                                     \
    }                                                                                       \
    if (!mortise_threw) ::mortise::conform::fail(::fmt::format("{} gives no error", what)); \
  } while (false)

/// Defines the exported symbol of a suite library.  Exactly one per library.
#define MORTISE_CONFORM_SUITES(...)                                                               \
  extern "C" MORTISE_API const std::vector<::mortise::conform::Suite>* mortise_conform_suites() { \
    static const std::vector<::mortise::conform::Suite> suites{__VA_ARGS__};                      \
    return &suites;                                                                               \
  }                                                                                               \
  static_assert(true, "a semicolon may follow")
