// A recipe while it is being read: a tree of values in which every key and every value knows where
// it was written.
//
// Tables keep the order of the text.  A Node is a value type: extends, imports and references copy
// subtrees, and the copies keep their origins, so that a message can always name file, line and
// column.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/value.hpp"

namespace mortise::core {

/// One file of a recipe, kept whole for excerpts and for the run directory.
struct SourceFile {
  std::string name;  // as shown to the user: relative the way the user wrote it
  std::string path;  // canonical, for finding cycles
  std::string text;
  std::shared_ptr<const SourceFile> includer;  // null for the recipe itself
  int32_t includer_line = 0;
  int32_t order = 0;  // files are reported in the order in which they were opened
  /// Returns line `number` (from 1) without its end; empty when there is none.
  std::string_view line(int32_t number) const;
};

/// Where a key or a value comes from.
struct Origin {
  enum class Kind : uint8_t { None, File, Override, Default, ModelFolder };
  Kind kind = Kind::None;
  int32_t line = 0, column = 0;             // of a File, from 1
  int32_t argument = 0;                     // of an Override: its place on the command line
  std::shared_ptr<const SourceFile> file;   // of a File
  std::shared_ptr<const std::string> text;  // of an Override: its text; of a Default: "lora@1.2.0"

  static Origin of_default(std::string who);
  static Origin of_override(std::string text, int32_t argument);
  static Origin of_model_folder(std::string folder);
  /// "base/sft.toml:12:1 (included at lora.toml:2)", "override --set a.b=5 (argument 3)", "default
  /// of lora@1.2.0".
  std::string place() const;
};

/// A null, scalar, array or table with its origin.  `key` is its name in the table that holds it.
struct Node {
  std::string key;
  Origin key_origin;
  Origin origin;
  Value::Kind kind = Value::Kind::Null;
  bool is_final = false;  // references in it are already replaced
  bool is_broken =
      false;  // a reference in it failed, which is reported: nothing more is said about this value
  Value scalar;                // of Bool, Int, Float, String
  std::vector<Node> children;  // of Array and Table

  static Node table(Origin origin = {});
  /// Copies a plain value; every part gets the same origin.
  static Node of(const Value& value, const Origin& origin);

  bool is_null() const { return kind == Value::Kind::Null; }

  bool is_table() const { return kind == Value::Kind::Table; }

  bool is_array() const { return kind == Value::Kind::Array; }

  bool is_string() const { return kind == Value::Kind::String; }

  const std::string& text() const { return scalar.as_string(); }

  /// Finds a member of a table; null when absent.   Lifetime: until the table changes.
  const Node* find(std::string_view name) const;
  Node* find(std::string_view name);
  /// Finds by dotted path ("optimizer.lr").  Names that hold dots cannot be reached this way.
  const Node* find_path(std::string_view path) const;
  /// Appends or replaces a member.
  Node& put(std::string name, Node value);
  bool erase(std::string_view name);
  /// The `type` of a component table; empty when there is none.
  std::string type() const;
  /// Drops the origins.
  Value to_value() const;
};

/// "a.b" + "c" → "a.b.c"; the empty path is the recipe itself.
std::string join_path(std::string_view path, std::string_view key);
/// The dotted paths of everything in a tree, for did-you-mean; of a huge tree the first ones.
std::vector<std::string> all_paths(const Node& root);
/// One value on one line, shortened, for messages: `5`, `"lorax"`, `[1, 2, …]`.
std::string brief(const Node& node);

}  // namespace mortise::core
