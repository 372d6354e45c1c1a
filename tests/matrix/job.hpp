// A tiny job around one component, and what must hold of every job: the same bits twice, and the
// same after an interruption.  The job is tests/recipes/tiny.toml with the component in the place
// of its kind, or the recipe.toml in the component's own folder where defaults are not enough.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <fmt/format.h>

#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"

#include "tests/support/shell.hpp"

namespace mortise::matrix {

namespace fs = std::filesystem;

inline const std::string kTiny = MORTISE_SOURCE_DIR "/tests/recipes/tiny.toml";

/// Where a component of a kind goes in tests/recipes/tiny.toml; {} is its name.  Kinds whose
/// components the architecture of the tiny recipe cannot write do without its export.
inline const std::map<std::string, std::string>& places() {
  static const std::map<std::string, std::string> all = {
      {"adapter", "--set 'adapter={{type=\"{}\"}}'"},
      {"architecture", "--set export.hf.architecture={}"},
      {"attention", "--set model.layer.dense.attention.type={}"},
      {"data_source", "--set data.train.tiny.type={}"},
      {"device", "--set run.device={}"},
      {"embedding", "--set model.embedding.type={}"},
      {"ffn", "--set 'model.layer.dense.ffn={{type=\"{}\",hidden=48}}' --set ~export.hf"},
      {"guard", "--set 'guard.g={{type=\"{}\"}}'"},
      {"head", "--set model.head.type={}"},
      {"layer", "--set model.layer.dense.type={}"},
      {"metric", "--set 'eval.scored={{type=\"{}\",data=\"dev\",limit=3,max_new_tokens=4}}'"},
      {"norm", "--set model.norm.type={} --set ~export.hf"},
      {"objective", "--set objective.type={}"},
      {"optimizer", "--set 'optimizer={{type=\"{}\",lr=1e-2}}'"},
      {"parallel", "--set parallel.p.type={}"},
      {"position", "--set model.layer.dense.attention.position.type={} --set ~export.hf"},
      {"router", "--set 'model.layer.dense.router={{type=\"{}\"}}'"},
      {"schedule", "--set 'schedule={{type=\"{}\"}}'"},
      {"tokenizer", "--set tokenizer.type={}"},
      {"tracker", "--set tracker.t.type={}"},
      {"transform", "--set 'data.pipeline.step={{type=\"{}\",order=2}}'"},
      {"weight_format", "--set export.hf.type={}"},
  };
  return all;
}

inline constexpr const char* kSteps =
    " --set run.steps=4 --set checkpoint.every=2 --set checkpoint.keep=9 --set ~eval.test "
    "--set eval.dev.limit=4 --set generate.max_new_tokens=2";

/// The files of a checkpoint by name, as bytes.
inline std::map<std::string, std::string> checkpoint(const std::string& dir, int64_t step) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(fmt::format("{}/ckpt/step-{}", dir, step)))
    files[entry.path().filename().string()] = read_file(entry.path().string());
  return files;
}

/// `recipe` is a path, followed by --set arguments.
inline test::Ran run(const std::string& recipe, const std::string& dir) {
  return test::mortise_cli(fmt::format("run {}{} --set run.dir={}", recipe, kSteps, dir));
}

/// Names of the files that differ; empty: the same bits.
inline std::string differing(const std::string& dir, const std::string& other, int64_t step = 4) {
  const auto a = checkpoint(dir, step), b = checkpoint(other, step);
  std::string out = a.size() == b.size() ? "" : "another number of files;";
  for (const auto& [name, bytes] : a)
    if (const auto found = b.find(name); found == b.end() || found->second != bytes)
      out += " " + name;
  return out;
}

/// As if the process had died after the checkpoint of step 2.
inline test::Ran resume_in_the_middle(const std::string& dir) {
  fs::remove_all(dir + "/ckpt/step-4");
  fs::remove_all(dir + "/export");
  std::ofstream(dir + "/ckpt/latest") << "step-2\n";
  return test::mortise_cli("run --resume " + dir);
}

}  // namespace mortise::matrix
