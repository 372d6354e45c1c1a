// The words of one verb, read by its entry of the verb table.  What a verb does not know is an
// error with did-you-mean.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/plugin/catalog.hpp"
#include "core/recipe/compose.hpp"

namespace mortise::core {

class Arguments {
 public:
  /// `verb` names the entry; `words` are all words behind it.  Throws: Error{Usage}.
  Arguments(std::string_view verb, const std::vector<std::string>& words);

  bool has(std::string_view option) const { return values_.count(std::string(option)) != 0; }

  /// The last value given, or `otherwise`.
  std::string get(std::string_view option, std::string_view otherwise = {}) const;
  /// The last value given, or `otherwise`.  Throws: Error{Usage} when it is no integer.
  int64_t integer(std::string_view option, int64_t otherwise) const;
  std::vector<std::string> all(std::string_view option) const;

  const std::vector<std::string>& positional() const { return positional_; }

  /// The one positional word.  Throws: Error{Usage} naming what is missing or too much.
  const std::string& only(std::string_view what) const;

  /// The --set options with their places on the command line.
  std::vector<Override> overrides() const;
  /// All plugins on the search path that --plugin-path begins.
  Catalog catalog() const;

 private:
  std::string verb_;
  std::vector<std::string> words_;
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> positional_;
};

/// Whether messages are coloured, by --color, NO_COLOR and the terminal.
bool use_color(const std::vector<std::string>& words);
/// Writes to stdout.  Throws: Error{Io} when that fails.
void print(std::string_view text);

}  // namespace mortise::core
