// Spawns mortise-describe and words what went wrong.
#include "core/plugin/probe.hpp"

#include <filesystem>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mortise/child.hpp"
#include "mortise/error.hpp"

#include "core/plugin/handshake.hpp"
#include "core/plugin/load_error.hpp"
#include "manifest.hpp"

namespace mortise::core {

namespace {

// Long, because a busy machine may leave a child waiting for a processor for a minute (seen at a
// load of 12 on 2 cores).
constexpr double kTimeoutS = 300;
constexpr std::string_view kSpeaker = "mortise-describe: ";

// The child's own sentence, when it had the last word.
std::string spoken(const std::string& err) {
  const size_t at = err.rfind(kSpeaker);
  if (at == std::string::npos) return "";
  std::string text = err.substr(at + kSpeaker.size());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// The last lines of what the child said, without the stack frames that LibTorch appends to its
// messages.
std::string last_lines(const std::string& text) {
  constexpr size_t kLines = 5;
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    if (!line.empty() && !line.starts_with("frame #")) lines.push_back(std::move(line));
  if (lines.empty()) return "";
  if (lines.size() > kLines) lines.erase(lines.begin(), lines.end() - kLines);
  return fmt::format("\n    it said: {}", fmt::join(lines, "\n             "));
}

}  // namespace

std::string probe_library(const std::string& library) {
  std::error_code absent;
  if (!std::filesystem::is_regular_file(library, absent))
    throw PluginError(fmt::format("there is no file {}", library));
  const ChildResult child = run_child({installation_prefix() + "/bin/mortise-describe", library},
                                      {.timeout_s = kTimeoutS, .on_line = {}});
  if (child.exit_code == 0 && !child.out.empty()) return child.out;
  if (child.timed_out)
    throw PluginError(fmt::format("{}: its entry did not end within {:.0f} s", library, kTimeoutS),
                      "the entry must only describe the plugin; move work into the components");
  if (child.signal != 0)
    throw PluginError(
        fmt::format("{} {} while it was loaded or its entry ran{}",
                    library,
                    child.how_it_ended(),
                    last_lines(child.err)),
        fmt::format("run it in a debugger:  gdb --args mortise-describe {}", library));
  if (const std::string words = spoken(child.err); !words.empty())
    throw PluginError(
        fmt::format("{} cannot be used: {}", library, explain_load_error(library, words)),
        load_error_fix(words));
  throw PluginError(
      fmt::format("{} called exit in its entry (exit code {}){}",
                  library,
                  child.exit_code,
                  last_lines(child.err)),
      "an entry returns its descriptor, or NULL after reporting; it never ends the process");
}

PluginManifest probe_manifest(const std::string& library) {
  PluginManifest manifest = parse_manifest(probe_library(library));
  manifest.folder = std::filesystem::absolute(library).parent_path().string();
  for (ComponentEntry& entry : manifest.components) entry.plugin = nullptr;
  check_handshake(manifest, HostFacts::of_this_process());
  return manifest;
}

}  // namespace mortise::core
