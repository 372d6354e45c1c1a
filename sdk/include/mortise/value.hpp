// A tree of plain values: what a recipe table, a JSON document or a data record is once its text is
// parsed.
//
// One type serves for component parameters, `config.json`, model specifications and data fields, so
// that a plugin author learns one class.  Tables keep the order of insertion; look-up is linear,
// which is the right trade for tables of a few dozen keys.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mortise/api.hpp"

namespace mortise {

/// A null, boolean, integer, float, string, array or table.  A value type: copies are deep.
/// Thread: [any-thread] for const use of one object, like any standard container.
class MORTISE_API Value {
 public:
  enum class Kind { Null, Bool, Int, Float, String, Array, Table };
  using Array = std::vector<Value>;
  using Table = std::vector<std::pair<std::string, Value>>;

  Value() = default;

  Value(bool value) : data_(value) {}  // NOLINT: implicit by design

  Value(int value) : data_(static_cast<int64_t>(value)) {}  // NOLINT

  Value(int64_t value) : data_(value) {}  // NOLINT

  Value(double value) : data_(value) {}  // NOLINT

  Value(const char* value) : data_(std::string(value)) {}  // NOLINT

  Value(std::string_view value) : data_(std::string(value)) {}  // NOLINT

  Value(std::string value) : data_(std::move(value)) {}  // NOLINT

  Value(Array value) : data_(std::move(value)) {}  // NOLINT

  Value(Table value) : data_(std::move(value)) {}  // NOLINT

  static Value array() { return Value(Array{}); }

  static Value table() { return Value(Table{}); }

  Kind kind() const { return static_cast<Kind>(data_.index()); }

  bool is_null() const { return kind() == Kind::Null; }

  bool is_bool() const { return kind() == Kind::Bool; }

  bool is_int() const { return kind() == Kind::Int; }

  bool is_number() const { return kind() == Kind::Int || kind() == Kind::Float; }

  bool is_string() const { return kind() == Kind::String; }

  bool is_array() const { return kind() == Kind::Array; }

  bool is_table() const { return kind() == Kind::Table; }

  /// Read the value as a type.  as_int accepts a float without fraction, as_float accepts an
  /// integer. Throws: Error naming the expected and the found kind.
  bool as_bool() const;
  int64_t as_int() const;
  double as_float() const;
  const std::string& as_string() const;
  const Array& as_array() const;
  Array& as_array();
  const Table& as_table() const;
  Table& as_table();

  /// Finds a member of a table.  Returns null when absent or when this is not a table.
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  /// Returns a member of a table.  Throws: Error naming the key when it is absent.
  const Value& at(std::string_view key) const;
  /// Returns a member, appended as null when absent.  A null value becomes a table first.
  Value& operator[](std::string_view key);
  /// Removes a member; returns whether there was one.
  bool erase(std::string_view key);
  /// Returns the member as text / number / flag, or `otherwise` when it is absent.  Throws: Error
  /// on another kind.
  std::string get(std::string_view key, const char* otherwise) const;
  int64_t get(std::string_view key, int64_t otherwise) const;

  int64_t get(std::string_view key, int otherwise) const { return get(key, int64_t{otherwise}); }

  double get(std::string_view key, double otherwise) const;
  bool get(std::string_view key, bool otherwise) const;

  /// Compares deeply; 1 and 1.0 differ, the order of table members does not matter.
  bool operator==(const Value& other) const;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Table> data_;
};

/// Names a kind as a user writes it: "integer", "table", ….
MORTISE_API std::string_view kind_name(Value::Kind kind);

}  // namespace mortise
