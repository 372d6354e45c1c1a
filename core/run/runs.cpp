// Reading run directories back.
#include "core/run/runs.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"

#include "core/run/lock.hpp"
#include "core/run/run_directory.hpp"

namespace mortise::core {

namespace fs = std::filesystem;

namespace {

Value status_value(const std::string& dir) {
  Value out = Value::table();
  out["dir"] = dir;
  if (!fs::exists(dir + "/status.json")) {
    out["status"] = "unknown";
    return out;
  }
  const Value status = parse_json(read_file(dir + "/status.json"), dir + "/status.json");
  for (const auto& [key, value] : status.as_table()) out[key] = value;
  return out;
}

Value json_of(const std::string& dir, const char* name) {
  const std::string path = dir + "/" + name;
  return fs::exists(path) ? parse_json(read_file(path), path) : Value::table();
}

Value lock_of(const std::string& dir) {
  return fs::exists(dir + "/lock.toml") ? read_lock(dir + "/lock.toml") : Value::table();
}

Value as_array(const std::vector<TreeDifference>& differences) {
  Value list = Value::array();
  for (const TreeDifference& difference : differences) {
    Value entry = Value::table();
    entry["path"] = difference.path;
    entry["before"] = difference.before;
    entry["after"] = difference.after;
    list.as_array().push_back(std::move(entry));
  }
  return list;
}

std::string score_text(const Value& scores) {
  std::string text;
  for (const auto& [name, value] : scores.as_table()) {
    if (!text.empty()) text += "  ";
    text += fmt::format("{} {:.4g}", name, value.as_float());
    if (text.size() > 60) return text + " …";
  }
  return text;
}

}  // namespace

std::vector<Value> list_runs(const std::string& parent) {
  std::vector<std::pair<fs::file_time_type, std::string>> found;
  std::error_code reason;
  for (const auto& entry : fs::directory_iterator(parent, reason))
    if (fs::exists(entry.path() / "resolved.toml"))
      found.emplace_back(fs::last_write_time(entry.path() / "resolved.toml"),
                         entry.path().string());
  std::sort(found.begin(), found.end());
  std::vector<Value> runs;
  for (const auto& [time, dir] : found) runs.push_back(status_value(dir));
  return runs;
}

Value describe_run(const std::string& dir) {
  const RunDirectory run = RunDirectory::open(dir);
  Value out = status_value(run.path());
  out["lock"] = lock_of(run.path());
  Value checkpoints = Value::array();
  std::error_code reason;
  for (const auto& entry : fs::directory_iterator(run.file("ckpt"), reason))
    if (fs::exists(entry.path() / "manifest.json"))
      checkpoints.as_array().emplace_back(entry.path().string());
  out["checkpoints"] = checkpoints;
  return out;
}

Value diff_runs(const std::string& before, const std::string& after) {
  const std::string a = RunDirectory::open(before).path(), b = RunDirectory::open(after).path();
  Value out = Value::table();
  out["config"] = as_array(compare_trees(json_of(a, "resolved.json"), json_of(b, "resolved.json")));
  out["lock"] = as_array(compare_trees(lock_of(a), lock_of(b)));
  const Value sa = status_value(a), sb = status_value(b);
  const Value none = Value::table();
  out["scores"] = as_array(compare_trees(sa.find("scores") ? sa.at("scores") : none,
                                         sb.find("scores") ? sb.at("scores") : none));
  return out;
}

std::string runs_table(const std::vector<Value>& runs) {
  if (runs.empty()) return "no runs here; `mortise run RECIPE` makes one\n";
  std::string text =
      fmt::format("{:<32} {:<12} {:>13} {:>9}  scores\n", "run", "status", "steps", "seconds");
  for (const Value& run : runs) {
    const Value* scores = run.find("scores");
    text += fmt::format("{:<32} {:<12} {:>13} {:>9.1f}  {}\n",
                        run.get("dir", ""),
                        run.get("status", ""),
                        fmt::format("{}/{}", run.get("step", 0), run.get("total_steps", 0)),
                        run.get("wall_seconds", 0.0),
                        scores == nullptr ? "" : score_text(*scores));
  }
  return text;
}

std::string diff_text(const Value& differences,
                      const std::string& before,
                      const std::string& after) {
  std::string text = fmt::format("--- {}\n+++ {}\n", before, after);
  for (const auto& [part, list] : differences.as_table()) {
    if (list.as_array().empty()) continue;
    text += part + ":\n";
    for (const Value& entry : list.as_array()) {
      const std::string a = entry.get("before", ""), b = entry.get("after", "");
      text += fmt::format("  {}: {} → {}\n",
                          entry.get("path", ""),
                          a.empty() ? "absent" : a,
                          b.empty() ? "absent" : b);
    }
  }
  return text;
}

}  // namespace mortise::core
