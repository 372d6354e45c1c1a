// Error classes and the two failure paths behind MORTISE_CHECK and MORTISE_ASSERT.
#include "mortise/error.hpp"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include <execinfo.h>
#include <unistd.h>

namespace mortise {

Error::Error(Code code, std::string message, std::string hint)
    : code_(code), message_(std::move(message)), hint_(std::move(hint)) {}

Error::~Error() = default;

void Error::add_context(std::string line) { context_.push_back(std::move(line)); }

const char* Error::what() const noexcept {
  try {
    what_ = message_;
    for (const std::string& line : context_) what_ += "\n  " + line;
    if (!hint_.empty()) what_ += "\n  fix: " + hint_;
    return what_.c_str();
  } catch (...) {
    return message_.c_str();  // out of memory: the bare message still stands
  }
}

RecipeError::RecipeError(std::string place, std::string message, std::string hint)
    : Error(Code::Usage, std::move(message), std::move(hint)), place_(std::move(place)) {}

RecipeError::~RecipeError() = default;

PluginError::PluginError(std::string message, std::string hint)
    : Error(Code::Plugin, std::move(message), std::move(hint)) {}

PluginError::~PluginError() = default;

DataError::DataError(std::string message, std::string hint)
    : Error(Code::Data, std::move(message), std::move(hint)) {}

DataError::~DataError() = default;

namespace detail {

void throw_check(std::string message) { throw Error(Code::Usage, std::move(message)); }

void abort_assert(const char* condition, const char* file, int line, std::string message) {
  std::fprintf(
      stderr,
      "mortise: internal error: %s (%s, %s:%d)\nThis is a bug in Mortise; please report it.\n",
      message.c_str(),
      condition,
      file,
      line);
  void* frames[64];
  backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
  std::abort();
}

}  // namespace detail

}  // namespace mortise
