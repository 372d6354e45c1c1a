// `mortise runs`: which runs there are, what one was, and how two differ.
#pragma once

#include <string>
#include <vector>

#include "mortise/value.hpp"

namespace mortise::core {

/// One line per run below `parent`, oldest first: {dir, status, step, total_steps, wall_seconds,
/// scores}.
std::vector<Value> list_runs(const std::string& parent);
/// Everything about one run: status, plugins, data, the recipe's name.  Throws: Error{Usage} when
/// it is none.
Value describe_run(const std::string& dir);
/// {config, plugins, data, scores}: arrays of {path, before, after}.
Value diff_runs(const std::string& before, const std::string& after);

/// The same as text for people.
std::string runs_table(const std::vector<Value>& runs);
std::string diff_text(const Value& differences,
                      const std::string& before,
                      const std::string& after);

}  // namespace mortise::core
