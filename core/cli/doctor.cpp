// mortise doctor [--json] [--plugin-path DIR]: versions, search path, plugins and refusals,
// LibTorch, bundled libraries, processor and threads.  Exit code 0 when nothing is wrong, 6
// otherwise.
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <sched.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"
#include "mortise/version.hpp"

#include "core/cli/arguments.hpp"
#include "core/cli/verbs.hpp"
#include "core/plugin/catalog.hpp"
#include "core/plugin/handshake.hpp"
#include "elf_notes.hpp"

namespace mortise::core {

namespace fs = std::filesystem;

namespace {

struct Finding {
  std::string topic, text;
  std::string problem, fix;  // empty: fine
};

std::string cpu_model() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.rfind("model name", 0) == 0)
      return line.substr(std::min(line.find(':') + 2, line.size()));
  return "unknown processor";
}

std::string instruction_sets() {
  std::string out;
  const auto add = [&](bool has, const char* name) {
    if (has) out += (out.empty() ? "" : " ") + std::string(name);
  };
  add(__builtin_cpu_supports("sse4.2"), "sse4.2");
  add(__builtin_cpu_supports("avx2"), "avx2");
  add(__builtin_cpu_supports("fma"), "fma");
  add(__builtin_cpu_supports("avx512f"), "avx512f");
  add(__builtin_cpu_supports("avx512bw"), "avx512bw");
  add(__builtin_cpu_supports("avx512vnni"), "avx512vnni");
  return out;
}

int usable_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

Finding machine() {
  Finding out{
      "machine",
      fmt::format("{}; {} usable threads; {}", cpu_model(), usable_threads(), instruction_sets()),
      "",
      ""};
  if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("popcnt")) {
    out.problem = "the processor is older than x86-64-v2";
    out.fix = "use a processor with SSE4.2 and POPCNT (2009 or later)";
  }
  return out;
}

// The runpath of the tensor SDK says where LibTorch is expected.
Finding libtorch() {
  const HostFacts& host = HostFacts::of_this_process();
  const std::string sdk = installation_prefix() + "/lib/libmortise_sdk_torch.so.0";
  if (host.tag.count("torch") == 0)
    return {"libtorch", "not used: this mortise was built without the tensor tier", "", ""};
  std::error_code absent;
  if (!fs::exists(sdk, absent))
    return {"libtorch", "", sdk + " is missing", "install Mortise again"};
  std::string folders;
  for (const std::string& list : read_elf_notes(sdk).run_path) {
    for (size_t begin = 0; begin < list.size();) {
      const size_t end = std::min(list.find(':', begin), list.size());
      std::string folder = list.substr(begin, end - begin);
      if (folder.rfind("$ORIGIN", 0) == 0)
        folder = installation_prefix() + "/lib" + folder.substr(7);
      if (fs::exists(folder + "/libtorch_cpu.so", absent))
        return {"libtorch", fmt::format("{} in {}", host.tag.at("torch"), folder), "", ""};
      folders += " " + folder;
      begin = end + 1;
    }
  }
  return {"libtorch",
          "",
          "libtorch_cpu.so is in none of:" + folders,
          "put the LibTorch " + host.tag.at("torch") +
              " that Mortise was built with back, or build Mortise again"};
}

// A second LibTorch in the process aborts it; plugins bring none.
Finding plugin_finding(const PluginManifest& plugin) {
  Finding out{
      "plugin", fmt::format("{} {}   {}", plugin.id, plugin.version, plugin.folder), "", ""};
  if (!plugin.refusal.empty()) {
    out.problem = plugin.refusal;
    out.fix = plugin.refusal_fix;
    return out;
  }
  try {
    const ElfNotes notes = read_elf_notes(plugin.path());
    if (!plugin.build_id.empty() && notes.build_id != plugin.build_id) {
      out.problem = fmt::format(
          "plugin {}: the manifest describes another build of {}", plugin.id, plugin.file);
      out.fix = fmt::format("mortise-describe {} {}/plugin.toml", plugin.path(), plugin.folder);
    }
    for (const std::string& path : notes.run_path)
      if (plugin.needs_torch()) {
        out.problem =
            fmt::format("plugin {}: {} has the runpath {}, which may bring a second LibTorch",
                        plugin.id,
                        plugin.file,
                        path);
        out.fix = "build it with mortise_add_plugin, which sets none";
      }
    for (const auto& beside : fs::directory_iterator(plugin.folder))
      if (const std::string name = beside.path().filename().string();
          name.rfind("libtorch", 0) == 0 || name.rfind("libc10", 0) == 0) {
        out.problem = fmt::format("plugin {} bundles {}", plugin.id, beside.path().string());
        out.fix = "remove it: the host's LibTorch is used";
      }
  } catch (const std::exception& error) {
    out.problem = fmt::format("plugin {}: {}: {}", plugin.id, plugin.path(), error.what());
    out.fix = "build or install the plugin again";
  }
  return out;
}

std::vector<Finding> examine(const Catalog& catalog) {
  const HostFacts& host = HostFacts::of_this_process();
  std::vector<Finding> out;
  const std::string tag = fmt::format("C library {}, {}", host.glibc, host.tag.at("compiler"));
  out.push_back(
      {"mortise",
       fmt::format("{} in {}   ABI {}, {}", MORTISE_VERSION, installation_prefix(), host.abi, tag),
       "",
       ""});
  out.push_back(machine());
  out.push_back(libtorch());
  for (const std::string& folder : catalog.search_path().folders) {
    std::error_code absent;
    out.push_back({"search", folder + (fs::exists(folder, absent) ? "" : "   (absent)"), "", ""});
  }
  for (const PluginManifest& plugin : catalog.plugins()) out.push_back(plugin_finding(plugin));
  return out;
}

Value to_value(const std::vector<Finding>& findings) {
  Value list = Value::array();
  for (const Finding& finding : findings) {
    Value item = Value::table();
    item["topic"] = finding.topic;
    item["text"] = finding.text;
    if (!finding.problem.empty()) {
      item["problem"] = finding.problem;
      item["fix"] = finding.fix;
    }
    list.as_array().push_back(std::move(item));
  }
  return list;
}

}  // namespace

int run_doctor(const std::vector<std::string>& words) {
  const Arguments arguments("doctor", words);
  if (!arguments.positional().empty())
    throw Error(Code::Usage,
                fmt::format("doctor takes no word, got {}", arguments.positional().front()),
                "mortise doctor");
  const std::vector<Finding> findings = examine(arguments.catalog());
  int64_t problems = 0;
  std::string out, last_topic;
  for (const Finding& finding : findings) {
    if (!finding.text.empty())
      out +=
          fmt::format("{:<9} {}\n", finding.topic == last_topic ? "" : finding.topic, finding.text);
    last_topic = finding.topic;
    if (finding.problem.empty()) continue;
    ++problems;
    out += fmt::format("  problem: {}\n  fix: {}\n", finding.problem, finding.fix);
  }
  out += problems == 0 ? "\nnothing is wrong.\n"
                       : fmt::format("\n{} problem{}.\n", problems, problems == 1 ? "" : "s");
  if (arguments.has("json")) out = to_json(to_value(findings), 2) + "\n";
  print(out);
  return problems == 0 ? 0 : static_cast<int>(Code::Plugin);
}

}  // namespace mortise::core
