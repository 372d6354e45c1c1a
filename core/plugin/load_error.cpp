// The texts of glibc's loader are stable in practice (elf/dl-lookup.c, elf/dl-load.c); anything
// else is passed on as it is.
#include "core/plugin/load_error.hpp"

#include <cstdlib>
#include <memory>

#include <cxxabi.h>
#include <fmt/format.h>

#include "core/plugin/handshake.hpp"

namespace mortise::core {

namespace {

constexpr std::string_view kUndefined = "undefined symbol: ";
constexpr std::string_view kMissing = ": cannot open shared object file";
constexpr std::string_view kVersion = "version `";

std::string_view word_at(std::string_view text) {
  return text.substr(0, text.find_first_of(" ,\n\t[]:()\"'"));
}

// "…/x.so: libfoo.so.1: cannot open shared object file: No such file": the library stands right
// before the marker.
std::string_view missing_library(std::string_view text) {
  const size_t end = text.find(kMissing);
  if (end == std::string_view::npos) return {};
  const size_t begin = text.find_last_of(" (\"[\n", end == 0 ? 0 : end - 1);
  return text.substr(begin == std::string_view::npos ? 0 : begin + 1,
                     end - (begin == std::string_view::npos ? 0 : begin + 1));
}

}  // namespace

std::string demangled(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? text.get() : symbol;
}

std::string explain_load_error(std::string_view path, std::string_view loader_message) {
  if (const size_t at = loader_message.find(kUndefined); at != std::string_view::npos)
    return fmt::format(
        "it needs the symbol `{}`, which neither Mortise nor the libraries it names provide",
        demangled(std::string(word_at(loader_message.substr(at + kUndefined.size())))));
  if (const std::string_view library = missing_library(loader_message); !library.empty())
    return library == path
               ? fmt::format("there is no file {}", path)
               : fmt::format("it needs the library {}, which is not on this machine", library);
  if (const size_t at = loader_message.find(kVersion); at != std::string_view::npos) {
    const std::string_view rest = loader_message.substr(at + kVersion.size());
    return fmt::format("it needs {} of a system library, which is older here",
                       rest.substr(0, rest.find('\'')));
  }
  return std::string(loader_message);
}

std::string load_error_fix(std::string_view loader_message) {
  if (loader_message.find(kUndefined) != std::string_view::npos)
    return "it was built against another SDK or lacks a library in LINK; rebuild it:  " +
           rebuild_command();
  if (!missing_library(loader_message).empty())
    return "install that library, or add its folder to LD_LIBRARY_PATH";
  return "rebuild it:  " + rebuild_command();
}

}  // namespace mortise::core
