// Writing, reading and comparing lock.toml.
#include "core/run/lock.hpp"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/version.hpp"

#include "core/recipe/toml_read.hpp"
#include "toml_print.hpp"

namespace mortise::core {

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      return line.substr(std::min(line.size(), line.find(':') + 2));
  return "unknown";
}

Value make_lock(const LockFacts& facts) {
  Value lock = Value::table();
  lock["mortise"]["version"] = MORTISE_VERSION;
  lock["machine"]["cpu"] = cpu_model();
  lock["machine"]["isa"] = facts.isa;
  lock["machine"]["threads"] = facts.threads;
  Value plugins = Value::table();
  std::vector<LoadedPlugin> sorted = facts.plugins;
  std::sort(sorted.begin(), sorted.end(), [](const LoadedPlugin& a, const LoadedPlugin& b) {
    return a.manifest->id < b.manifest->id;
  });
  for (const LoadedPlugin& plugin : sorted) {
    Value& entry = plugins[plugin.manifest->id];
    entry["version"] = plugin.manifest->version;
    entry["sha256"] = plugin.sha256;
    std::string tag;
    for (const auto& [key, value] : plugin.manifest->tag) tag += fmt::format("{}={};", key, value);
    entry["tag"] = tag;
  }
  lock["plugins"] = plugins;
  lock["data"]["fingerprint"] = facts.data_fingerprint;
  lock["tokenizer"]["fingerprint"] = facts.tokenizer_fingerprint;
  return lock;
}

std::string lock_text(const Value& lock) {
  return "# What this run depended on besides its recipe; `mortise run --locked` refuses drift.\n" +
         toml_document(lock);
}

Value read_lock(const std::string& path) {
  auto file = std::make_shared<SourceFile>();
  file->name = file->path = path;
  file->text = read_file(path);
  Diagnostics diagnostics;
  const Node root = parse_toml(file, diagnostics);
  if (diagnostics.has_errors())
    throw DataError(fmt::format(
        "{} is no lock file:\n{}", path, render(diagnostics.sorted(), /*color=*/false)));
  return root.to_value();
}

void check_locked(const Value& expected, const Value& actual, const std::string& path) {
  std::string list;
  for (const TreeDifference& difference : compare_trees(expected, actual))
    list += fmt::format("\n  {}: locked {}, here {}",
                        difference.path,
                        difference.before.empty() ? "absent" : difference.before,
                        difference.after.empty() ? "absent" : difference.after);
  if (!list.empty())
    throw Error(Code::DoesNotFit,
                fmt::format("this run would differ from {}:{}", path, list),
                "restore these, or run without --locked");
}

std::vector<TreeDifference> bit_risks(const Value& saved, const Value& now) {
  std::vector<TreeDifference> risks = compare_trees(saved, now);
  std::erase_if(risks, [](const TreeDifference& d) {
    return !d.path.starts_with("machine.") && !d.path.starts_with("plugins.") &&
           !d.path.starts_with("mortise.");
  });
  return risks;
}

}  // namespace mortise::core
