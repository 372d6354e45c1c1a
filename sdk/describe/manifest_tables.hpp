// plugin.toml and engine.toml as text: a reader of exactly the TOML subset that mortise-describe
// writes.
//
// Not toml++: a manifest may be anyone's file and is read at every start, a hundred at a time.
// Tables [name] and [[name]], keys, one-line strings and integers are all there is, so that 100
// lines with no recursion read it in microseconds and nothing in it can exhaust the stack.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mortise {

/// One [table] or [[table]] of a manifest, with its keys in order.  Integers are kept as their
/// digits.
struct ManifestTable {
  std::string name;
  bool is_array = false;
  std::vector<std::pair<std::string, std::string>> entries;
  /// Returns null when absent.
  const std::string* find(std::string_view key) const;
};

/// Splits a manifest into tables.  Throws: PluginError naming the line.   Thread: [any-thread].
std::vector<ManifestTable> read_manifest_tables(std::string_view text);

}  // namespace mortise
