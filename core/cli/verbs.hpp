// The verb table of the CLI: one entry and one file a verb.  `mortise VERB --help` is made from the
// entry.
//
// A verb takes the words behind its name and returns the exit code; it throws mortise::Error, which
// main prints once.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::core {

struct OptionSpec {
  std::string_view name;   // "plugin-path", without dashes
  std::string_view value;  // "DIR"; empty: a flag
  std::string_view help;   // empty: not shown, between processes of ours only
};

struct Verb {
  std::string_view name;
  std::string_view words;           // positional: "RECIPE", "[SLOT]"
  std::string_view summary;         // one line of `mortise --help`
  std::vector<OptionSpec> options;  // besides the common ones
  std::string_view examples;        // taught by `mortise VERB --help`
  int (*run)(const std::vector<std::string>& words);
};

/// All verbs in the order of `mortise --help`.
const std::vector<Verb>& verbs();
/// Options that every verb accepts.
std::span<const OptionSpec> common_options();

int run_run(const std::vector<std::string>& words);
int run_plan(const std::vector<std::string>& words);
int run_data(const std::vector<std::string>& words);
int run_runs(const std::vector<std::string>& words);
int run_generate(const std::vector<std::string>& words);
int run_score(const std::vector<std::string>& words);
int run_export(const std::vector<std::string>& words);
int run_validate(const std::vector<std::string>& words);
int run_show(const std::vector<std::string>& words);
int run_schema(const std::vector<std::string>& words);
int run_init(const std::vector<std::string>& words);
int run_inspect(const std::vector<std::string>& words);
int run_doctor(const std::vector<std::string>& words);
int run_new_plugin(const std::vector<std::string>& words);
int run_conform(const std::vector<std::string>& words);

}  // namespace mortise::core
