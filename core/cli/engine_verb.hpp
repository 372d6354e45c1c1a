// The path of the verbs that need no recipe: words → a table of options → the engine.
#pragma once

#include <initializer_list>
#include <string_view>

#include "mortise/value.hpp"

#include "core/cli/arguments.hpp"

namespace mortise::core {

/// How the value of an option is read.
enum class OptionKind { Text, Texts, Integer, Number, Flag };

struct EngineOption {
  std::string_view name;  // "max-new-tokens"; its key is max_new_tokens
  OptionKind kind;
};

/// Reads the given options into a table; absent ones stay absent, so the engine's defaults hold.
/// Throws: Error{Usage} naming an option whose value is no number.
Value engine_options(const Arguments& arguments, std::initializer_list<EngineOption> options);

/// Discovers the plugins, opens the engine and runs `verb`.  Returns its exit code; throws what it
/// throws.
int run_in_engine(std::string_view verb, const Value& options, const Arguments& arguments);

}  // namespace mortise::core
