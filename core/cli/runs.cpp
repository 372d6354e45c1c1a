// mortise runs: which runs there are, what one was, how two differ.
#include "core/run/runs.hpp"

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"

#include "core/cli/arguments.hpp"
#include "core/cli/verbs.hpp"
#include "toml_print.hpp"

namespace mortise::core {

int run_runs(const std::vector<std::string>& words) {
  const Arguments arguments("runs", words);
  const std::vector<std::string>& given = arguments.positional();
  const std::string what = given.empty() ? "list" : given[0];
  const bool json = arguments.has("json");
  if (what == "list" && given.size() <= 2) {
    const std::vector<Value> runs = list_runs(given.size() == 2 ? given[1] : "runs");
    print(json ? to_json(Value(Value::Array(runs.begin(), runs.end())), 2) + "\n"
               : runs_table(runs));
    return 0;
  }
  if (what == "show" && given.size() == 2) {
    const Value run = describe_run(given[1]);
    print(json ? to_json(run, 2) + "\n" : toml_document(run));
    return 0;
  }
  if (what == "diff" && given.size() == 3) {
    const Value differences = diff_runs(given[1], given[2]);
    print(json ? to_json(differences, 2) + "\n" : diff_text(differences, given[1], given[2]));
    return 0;
  }
  throw Error(Code::Usage,
              fmt::format("`mortise runs {}` with {} words", what, given.size()),
              "mortise runs [list [DIR]] | show RUN | diff RUN RUN");
}

}  // namespace mortise::core
