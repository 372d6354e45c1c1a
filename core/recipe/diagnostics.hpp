// What is wrong with a recipe: all of it at once, each with code, place, excerpt, nearest valid key
// and fix.
//
// The codes are persistent (docs/explanation/recipe_language.md lists them): E0xx text, E1xx keys
// and values, E2xx plugins, E3xx rules of components, E4xx rules between tables, E5xx stages, gates
// and sweeps, W warnings.
#pragma once

#include <string>
#include <vector>

#include "mortise/error.hpp"

#include "core/recipe/node.hpp"

namespace mortise::core {

struct Diagnostic {
  std::string code;  // "E102"; "W…" is a warning
  std::string message;
  Origin origin;
  std::string suggestion;  // the nearest valid key or name; empty: none
  std::string owner;       // who defines the accepted keys: "lora@1.2.0, plugin org.mortise.peft"
  std::vector<std::string> accepted;  // keys or names
  std::vector<std::string> notes;     // further lines, "searched: …"
  std::string fix;

  bool is_warning() const { return code.starts_with("W"); }

  /// A plugin is missing or refused: exit code 6 when there is nothing else to repair.
  bool is_plugin() const { return code.starts_with("E2"); }
};

/// Collects diagnostics; the same one twice counts once.   Thread: [one thread at a time].
class Diagnostics {
 public:
  void add(Diagnostic diagnostic);
  bool has_errors() const;
  bool has_syntax_errors() const;

  bool empty() const { return items_.empty(); }

  /// Sorted by place: files in the order of opening, line, column; then overrides; then the rest.
  std::vector<Diagnostic> sorted() const;

 private:
  std::vector<Diagnostic> items_;
};

/// One message, ending in a newline.  `color`: with terminal colours.
std::string render(const Diagnostic& diagnostic, bool color);
/// All messages and a last line that counts them.
std::string render(const std::vector<Diagnostic>& diagnostics, bool color);
/// {code, severity, message, place, file, line, column, suggestion, accepted, notes, fix}.
Value to_value(const Diagnostic& diagnostic);

/// All mistakes of a recipe in one exception.  code() is Usage, or Plugin when only plugins are
/// missing.
class RecipeErrors final : public Error {
 public:
  explicit RecipeErrors(std::vector<Diagnostic> diagnostics);

  const std::vector<Diagnostic>& diagnostics() const noexcept { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace mortise::core
