// The run directory: made once, never overwritten.
//
//   recipe.toml includes/ resolved.toml lock.toml plan.txt status.json metrics.jsonl logs/
//   report.html samples/ ckpt/ eval/ tokenizer/ export/
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mortise/value.hpp"

namespace mortise::core {

/// The texts that a run starts from.
struct RunTexts {
  std::string recipe;  // verbatim
  std::vector<std::pair<std::string, std::string>>
      includes;          // name → text of what it extends or imports
  std::string resolved;  // resolved.toml: runnable alone
  Value resolved_tree;   // the same as data: resolved.json, what --resume compares
};

/// What status.json says.  Persistent: `mortise runs` and scripts read it.
struct RunStatus {
  std::string status = "running";  // running, done, failed, interrupted
  std::string task, name, message;
  int64_t exit_code = 0, step = 0, total_steps = 0;
  double wall_seconds = 0;
  Value scores = Value::table();    // "ppl.perplexity" → 31.2
  Value measures = Value::table();  // what it took: "trainable", "peak_mib", "tokens_per_s"
  Value memory = Value::table();    // peak tensor bytes of the steps: "measured", "planned"
};

/// Thread: [main-thread].
class RunDirectory {
 public:
  /// Makes runs/<name>-<number> with the first free number (mkdir decides, so two runs never share
  /// one), or `dir` when it is given and absent.  Throws: Error{Usage} when `dir` exists,
  /// Error{Io}.
  static RunDirectory create(const std::string& name,
                             const std::string& dir = {},
                             const std::string& parent = "runs");
  /// Opens an existing one.  Throws: Error{Usage} when it is none.
  static RunDirectory open(const std::string& dir);

  const std::string& path() const { return path_; }

  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

  /// Writes recipe.toml, includes/ and resolved.toml.
  void write_texts(const RunTexts& texts) const;
  void write_status(const RunStatus& status) const;
  RunStatus status() const;
  /// Makes a folder below (and its parents) and returns its path.
  std::string folder(std::string_view name) const;

 private:
  explicit RunDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

/// "a.b.c" → value as text, for every leaf of a tree; empty tables vanish.
std::vector<std::pair<std::string, std::string>> flatten(const Value& value,
                                                         const std::string& prefix = {});

/// One difference between two trees; empty text: absent.
struct TreeDifference {
  std::string path, before, after;
};

std::vector<TreeDifference> compare_trees(const Value& before, const Value& after);

/// Stops a resume whose recipe differs in more than what may change (run.steps, run.tokens,
/// run.epochs, log, checkpoint, generate, eval, tracker and export tables).  Throws: Error{Usage}
/// naming each difference.
void check_resumable(const Value& saved, const Value& now);

}  // namespace mortise::core
