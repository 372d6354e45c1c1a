// Making, opening and describing run directories.
#include "core/run/run_directory.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <sys/stat.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"

namespace mortise::core {

namespace fs = std::filesystem;

namespace {

// Letters, digits, - _ . stay; everything else becomes one '-': a name is never a path.
std::string safe_name(const std::string& name) {
  std::string safe;
  for (const char c : name)
    safe += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.'
                ? c
                : '-';
  return safe.empty() || safe.front() == '.' ? "run" + safe : safe;
}

[[noreturn]] void fail(const std::string& path, int reason) {
  throw Error(Code::Io,
              fmt::format("cannot create the run directory {}: {}", path, std::strerror(reason)));
}

void make_parents(const std::string& path) {
  std::error_code reason;
  const fs::path parent = fs::path(path).parent_path();
  if (!parent.empty()) fs::create_directories(parent, reason);
  if (reason) fail(path, reason.value());
}

std::string make_given(const std::string& dir) {
  make_parents(dir);
  if (::mkdir(dir.c_str(), 0755) == 0) return dir;
  if (errno != EEXIST) fail(dir, errno);
  if (fs::is_directory(dir) && fs::is_empty(dir)) return dir;
  throw Error(Code::Usage,
              fmt::format("the run directory {} exists already and is never overwritten", dir),
              fmt::format("give another run.dir, or go on with it: mortise run --resume {}", dir));
}

std::string make_numbered(const std::string& name, const std::string& parent) {
  const std::string stem = fmt::format("{}/{}-", parent, safe_name(name));
  make_parents(stem + "1");
  for (int64_t number = 1; number < 1'000'000; ++number) {
    const std::string path = fmt::format("{}{}", stem, number);
    if (::mkdir(path.c_str(), 0755) == 0) return path;
    if (errno != EEXIST) fail(path, errno);
  }
  throw Error(Code::Io, fmt::format("no free number is left for {}N", stem));
}

std::string leaf_text(const Value& value) { return to_json(value); }

}  // namespace

RunDirectory RunDirectory::create(const std::string& name,
                                  const std::string& dir,
                                  const std::string& parent) {
  return RunDirectory(fs::absolute(dir.empty() ? make_numbered(name, parent) : make_given(dir))
                          .lexically_normal()
                          .string());
}

RunDirectory RunDirectory::open(const std::string& dir) {
  if (!fs::exists(dir + "/resolved.toml"))
    throw Error(Code::Usage,
                fmt::format("{} is no run directory: it has no resolved.toml", dir),
                "`mortise runs` lists the runs there are");
  std::string path = fs::absolute(dir).lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return RunDirectory(path);
}

void RunDirectory::write_texts(const RunTexts& texts) const {
  write_file(file("recipe.toml"), texts.recipe);
  write_file(file("resolved.toml"), texts.resolved);
  write_file(file("resolved.json"), to_json(texts.resolved_tree, 1) + "\n");
  if (texts.includes.empty()) return;
  const std::string below = folder("includes");
  int64_t number = 0;  // files of other folders may share a name
  for (const auto& [name, text] : texts.includes)
    write_file(
        fmt::format("{}/{:02}-{}", below, ++number, safe_name(fs::path(name).filename().string())),
        fmt::format("# {}\n{}", name, text));
}

std::string RunDirectory::folder(std::string_view name) const {
  const std::string path = file(name);
  std::error_code reason;
  fs::create_directories(path, reason);
  if (reason) throw Error(Code::Io, fmt::format("cannot create {}: {}", path, reason.message()));
  return path;
}

void RunDirectory::write_status(const RunStatus& status) const {
  Value out = Value::table();
  out["status"] = status.status;
  out["task"] = status.task;
  out["name"] = status.name;
  out["exit_code"] = status.exit_code;
  out["step"] = status.step;
  out["total_steps"] = status.total_steps;
  out["wall_seconds"] = status.wall_seconds;
  char now[32];
  const std::time_t time = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &parts);
  out["updated"] = now;
  if (!status.message.empty()) out["message"] = status.message;
  out["scores"] = status.scores;
  out["measures"] = status.measures;
  out["memory"] = status.memory;
  write_file(file("status.json"), to_json(out, 1) + "\n");
}

RunStatus RunDirectory::status() const {
  const Value in = parse_json(read_file(file("status.json")), file("status.json"));
  RunStatus status;
  status.status = in.get("status", "");
  status.task = in.get("task", "");
  status.name = in.get("name", "");
  status.message = in.get("message", "");
  status.exit_code = in.get("exit_code", 0);
  status.step = in.get("step", 0);
  status.total_steps = in.get("total_steps", 0);
  status.wall_seconds = in.get("wall_seconds", 0.0);
  if (const Value* scores = in.find("scores")) status.scores = *scores;
  if (const Value* measures = in.find("measures")) status.measures = *measures;
  return status;
}

std::vector<std::pair<std::string, std::string>> flatten(const Value& value,
                                                         const std::string& prefix) {
  if (!value.is_table()) return {{prefix, leaf_text(value)}};
  std::vector<std::pair<std::string, std::string>> leaves;
  for (const auto& [key, member] : value.as_table())
    for (auto& leaf : flatten(member, prefix.empty() ? key : prefix + "." + key))
      leaves.push_back(std::move(leaf));
  return leaves;
}

std::vector<TreeDifference> compare_trees(const Value& before, const Value& after) {
  std::map<std::string, TreeDifference> all;
  for (auto& [path, text] : flatten(before)) all[path].before = text;
  for (auto& [path, text] : flatten(after)) all[path].after = text;
  std::vector<TreeDifference> different;
  for (auto& [path, difference] : all) {
    if (difference.before == difference.after) continue;
    difference.path = path;
    different.push_back(std::move(difference));
  }
  return different;
}

void check_resumable(const Value& saved, const Value& now) {
  static constexpr std::string_view kFree[] = {"run.steps",
                                               "run.tokens",
                                               "run.epochs",
                                               "run.dir",
                                               "run.threads",
                                               "log.",
                                               "profile.",
                                               "checkpoint.",
                                               "generate.",
                                               "eval.",
                                               "tracker.",
                                               "export.",
                                               "recipe.notes",
                                               "sweep.",
                                               "gate.",
                                               "vars."};
  std::string list;
  for (const TreeDifference& difference : compare_trees(saved, now)) {
    if (std::any_of(std::begin(kFree), std::end(kFree), [&](std::string_view free) {
          return difference.path.starts_with(free);
        }))
      continue;
    list += fmt::format("\n  {}: {} → {}",
                        difference.path,
                        difference.before.empty() ? "absent" : difference.before,
                        difference.after.empty() ? "absent" : difference.after);
  }
  if (!list.empty())
    throw Error(
        Code::Usage,
        "a resumed run must have the recipe that it was started with; it differs in:" + list,
        "start a new run, or take these changes back");
}

}  // namespace mortise::core
