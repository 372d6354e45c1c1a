// The verbs for plugin authors.  Each takes the words after the verb and returns the exit code.
// Throws: Error{Usage} on wrong words; what else fails is an Error of its own code.   Thread:
// [main-thread].
#pragma once

#include <string>
#include <vector>

namespace mortise::core {

/// All components, one component, or a foreign library; --json, --markdown DIR, --plugin-path DIR.
int run_inspect(const std::vector<std::string>& args);
/// What this installation is and what is wrong with it.
int run_doctor(const std::vector<std::string>& args);
/// The universal checks and the contract suites, each in a child that may crash.
int run_conform(const std::vector<std::string>& args);
/// Scaffolds a plugin of a kind.
int run_new_plugin(const std::vector<std::string>& args);

}  // namespace mortise::core
