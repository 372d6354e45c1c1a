// mortise conform FILE.so [--seed N] [--junit F] [--list] [--only TEXT] [--config conform.toml]
// [--suite FILE.so] [--timeout S]
//
// The parent never opens the plugin.  It spawns a child that runs the checks one after another;
// when a check crashes, exits or hangs, that check has failed and a new child goes on with the next
// one.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>
#include <stdlib.h>

#include "mortise/child.hpp"
#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"

#include "core/cli/arguments.hpp"
#include "core/cli/verbs.hpp"
#include "core/conform/worker.hpp"
#include "core/plugin/probe.hpp"
#include "manifest.hpp"

namespace mortise::core {

namespace fs = std::filesystem;

namespace {

struct Outcome {
  std::string check, event, text;  // event: pass, fail, skip
  double ms = 0;
};

// A folder with the fresh manifest and a link to the library, removed in the end.
class ProbeFolder {
 public:
  explicit ProbeFolder(const std::string& library) {
    std::string pattern = (fs::temp_directory_path() / "mortise_conform_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
      throw Error(Code::Io,
                  fmt::format("cannot make a folder in {}", fs::temp_directory_path().string()));
    path_ = pattern;
    const std::string text = probe_library(library);
    write_file(path_ + "/plugin.toml", text);
    manifest_ = parse_manifest(text);
    fs::create_symlink(library, path_ + "/" + manifest_.file);
  }

  ~ProbeFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  ProbeFolder(const ProbeFolder&) = delete;
  ProbeFolder& operator=(const ProbeFolder&) = delete;

  const std::string& path() const { return path_; }

  const PluginManifest& manifest() const { return manifest_; }

 private:
  std::string path_;
  PluginManifest manifest_;
};

class Conductor {
 public:
  Conductor(const Arguments& arguments, std::string library, const ProbeFolder& folder)
      : arguments_(arguments), library_(std::move(library)), folder_(folder) {
    timeout_s_ = static_cast<double>(arguments.integer("timeout", 180));
  }

  const std::vector<std::string>& checks() const { return checks_; }

  const std::vector<Outcome>& outcomes() const { return outcomes_; }

  // Asks a child for the names of the checks.
  void plan() {
    const ChildResult child = run_child(command({"--plan-only"}),
                                        {timeout_s_, [&](std::string_view line) { hear(line); }});
    if (checks_.empty())
      throw PluginError(fmt::format("{}: the checks cannot start: the child {}\n{}",
                                    library_,
                                    child.how_it_ended(),
                                    child.err));
  }

  void run(const std::string& only, const std::function<void(const Outcome&)>& tell) {
    tell_ = tell;
    std::string numbers;
    int64_t last = -1;
    for (size_t i = 0; i < checks_.size(); ++i)
      if (only.empty() || checks_[i].find(only) != std::string::npos) {
        numbers += fmt::format("{}{}", numbers.empty() ? "" : ",", i);
        last = static_cast<int64_t>(i);
      }
    if (numbers.empty())
      throw Error(Code::Usage,
                  fmt::format("no check matches \"{}\"", only),
                  "mortise conform FILE.so --list shows their names");
    for (int64_t first = 0; first <= last;) {
      running_ = -1;
      is_done_ = false;
      const ChildResult child =
          run_child(command({"--from", std::to_string(first), "--numbers", numbers}),
                    {timeout_s_, [&](std::string_view line) { hear(line); }});
      if (is_done_) return;
      if (running_ < 0)
        throw PluginError(fmt::format("{}: the child of the checks {} before a check began\n{}",
                                      library_,
                                      child.how_it_ended(),
                                      child.err));
      record({checks_[static_cast<size_t>(running_)],
              "fail",
              fmt::format("it {}{}", child.how_it_ended(), tail(child.err)),
              0});
      first = running_ + 1;
    }
  }

 private:
  static std::string tail(const std::string& err) {
    const size_t keep = std::min<size_t>(err.size(), 1500);
    return keep == 0 ? "" : "\n" + err.substr(err.size() - keep);
  }

  std::vector<std::string> command(std::initializer_list<std::string> extra) const {
    std::vector<std::string> words = {"/proc/self/exe",
                                      "conform",
                                      "--worker",
                                      library_,
                                      "--probe-folder",
                                      folder_.path(),
                                      "--seed",
                                      arguments_.get("seed", "1")};
    for (const char* name : {"plugin-path", "suite", "config"})
      for (const std::string& value : arguments_.all(name))
        words.insert(words.end(), {fmt::format("--{}", name), value});
    words.insert(words.end(), extra);
    return words;
  }

  void hear(std::string_view line) {
    const Value event = parse_json(line, "a line of the child");
    const std::string name = event.get("event", "");
    if (name == "plan" && checks_.empty()) {
      for (const Value& check : event.at("checks").as_array()) checks_.push_back(check.as_string());
    } else if (name == "start") {
      running_ = event.get("check", 0);
    } else if (name == "done") {
      is_done_ = true;
    } else if (name == "pass" || name == "fail" || name == "skip") {
      record({checks_.at(static_cast<size_t>(event.get("check", 0))),
              name,
              event.get("text", ""),
              event.get("ms", 0.0)});
    }
  }

  void record(Outcome outcome) {
    if (tell_) tell_(outcome);
    outcomes_.push_back(std::move(outcome));
  }

  const Arguments& arguments_;
  std::string library_;
  const ProbeFolder& folder_;
  double timeout_s_;
  std::vector<std::string> checks_;
  std::vector<Outcome> outcomes_;
  std::function<void(const Outcome&)> tell_;
  int64_t running_ = -1;
  bool is_done_ = false;
};

std::string indented(std::string text) {
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 8))
    text.replace(at, 1, "\n       ");
  return text;
}

void print_outcome(const Outcome& outcome) {
  const char* word = outcome.event == "pass" ? "ok  " : outcome.event == "skip" ? "skip" : "FAIL";
  fmt::print("{}  {}{}\n",
             word,
             outcome.check,
             outcome.text.empty() ? "" : "\n      " + indented(outcome.text));
  std::fflush(stdout);
}

std::string xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
      out += '?';
    else
      out += c;
  }
  return out;
}

void write_junit(const std::string& path,
                 const PluginManifest& manifest,
                 const std::vector<Outcome>& outcomes) {
  const auto count = [&](const char* event) {
    return std::count_if(
        outcomes.begin(), outcomes.end(), [&](const Outcome& o) { return o.event == event; });
  };
  std::string out = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" "
      "failures=\"{}\" skipped=\"{}\">\n",
      xml(manifest.id),
      outcomes.size(),
      count("fail"),
      count("skip"));
  for (const Outcome& o : outcomes) {
    const size_t colon = o.check.find(": ");
    out += fmt::format("  <testcase classname=\"{}\" name=\"{}\" time=\"{:.4f}\">",
                       xml(o.check.substr(0, colon)),
                       xml(o.check.substr(std::min(colon + 2, o.check.size()))),
                       o.ms / 1e3);
    if (o.event == "fail") out += fmt::format("<failure>{}</failure>", xml(o.text));
    if (o.event == "skip") out += fmt::format("<skipped message=\"{}\"/>", xml(o.text));
    out += "</testcase>\n";
  }
  write_file(path, out + "</testsuite>\n");
}

// The options of a worker are in the verb table without a help text: no user needs them.
int run_as_worker(const Arguments& arguments) {
  WorkerOptions worker;
  worker.library = arguments.positional().at(0);
  worker.probe_folder = arguments.get("probe-folder");
  worker.example_file = arguments.get("config");
  worker.plugin_paths = arguments.all("plugin-path");
  worker.suites = arguments.all("suite");
  worker.seed = static_cast<uint64_t>(arguments.integer("seed", 1));
  worker.first = arguments.integer("from", 0);
  worker.plan_only = arguments.has("plan-only");
  const std::string numbers = arguments.get("numbers");
  for (size_t at = 0; at < numbers.size();
       at = std::min(numbers.find(',', at), numbers.size() - 1) + 1)
    worker.only.push_back(std::stoll(numbers.substr(at)));
  return run_conform_worker(worker);
}

}  // namespace

int run_conform(const std::vector<std::string>& words) {
  const Arguments arguments("conform", words);
  if (arguments.has("worker")) return run_as_worker(arguments);
  const std::string& given = arguments.only("FILE.so");
  std::error_code absent;
  if (!fs::is_regular_file(given, absent))
    throw Error(Code::Usage, fmt::format("there is no file {}", given));
  const std::string library = fs::canonical(given).string();
  const ProbeFolder folder(library);
  Conductor conductor(arguments, library, folder);
  conductor.plan();
  if (arguments.has("list")) {
    for (const std::string& check : conductor.checks()) fmt::print("{}\n", check);
    return 0;
  }
  fmt::print("{} {}   {}   seed {}\n",
             folder.manifest().id,
             folder.manifest().version,
             library,
             arguments.get("seed", "1"));
  conductor.run(arguments.get("only"), print_outcome);
  int64_t passed = 0, failed = 0, skipped = 0;
  for (const Outcome& outcome : conductor.outcomes())
    ++(outcome.event == "pass" ? passed : outcome.event == "skip" ? skipped : failed);
  fmt::print("\n{} passed, {} failed, {} skipped\n", passed, failed, skipped);
  if (failed > 0)
    fmt::print("repeat one:  mortise conform {} --seed {} --only \"NAME\"\n",
               given,
               arguments.get("seed", "1"));
  if (arguments.has("junit"))
    write_junit(arguments.get("junit"), folder.manifest(), conductor.outcomes());
  return failed == 0 ? 0 : static_cast<int>(Code::Plugin);
}

}  // namespace mortise::core
