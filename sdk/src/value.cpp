// Value: checked conversions and look-up.
#include "mortise/value.hpp"

#include <algorithm>
#include <cmath>

#include "mortise/error.hpp"

namespace mortise {

namespace {

[[noreturn]] void wrong_kind(std::string_view expected, Value::Kind got) {
  throw Error(Code::Usage, fmt::format("expected {}, got {}", expected, kind_name(got)));
}

}  // namespace

std::string_view kind_name(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::Null:
      return "nothing";
    case Value::Kind::Bool:
      return "boolean";
    case Value::Kind::Int:
      return "integer";
    case Value::Kind::Float:
      return "float";
    case Value::Kind::String:
      return "string";
    case Value::Kind::Array:
      return "array";
    case Value::Kind::Table:
      return "table";
  }
  return "?";
}

bool Value::as_bool() const {
  if (const bool* value = std::get_if<bool>(&data_)) return *value;
  wrong_kind("boolean", kind());
}

int64_t Value::as_int() const {
  if (const int64_t* value = std::get_if<int64_t>(&data_)) return *value;
  const double* real = std::get_if<double>(&data_);
  if (real != nullptr && std::nearbyint(*real) == *real && std::fabs(*real) < 9.2e18)
    return static_cast<int64_t>(*real);
  wrong_kind("integer", kind());
}

double Value::as_float() const {
  if (const double* value = std::get_if<double>(&data_)) return *value;
  if (const int64_t* value = std::get_if<int64_t>(&data_)) return static_cast<double>(*value);
  wrong_kind("float", kind());
}

const std::string& Value::as_string() const {
  if (const std::string* value = std::get_if<std::string>(&data_)) return *value;
  wrong_kind("string", kind());
}

const Value::Array& Value::as_array() const {
  if (const Array* value = std::get_if<Array>(&data_)) return *value;
  wrong_kind("array", kind());
}

Value::Array& Value::as_array() {
  if (Array* value = std::get_if<Array>(&data_)) return *value;
  wrong_kind("array", kind());
}

const Value::Table& Value::as_table() const {
  if (const Table* value = std::get_if<Table>(&data_)) return *value;
  wrong_kind("table", kind());
}

Value::Table& Value::as_table() {
  if (Table* value = std::get_if<Table>(&data_)) return *value;
  wrong_kind("table", kind());
}

const Value* Value::find(std::string_view key) const {
  const Table* table = std::get_if<Table>(&data_);
  if (table == nullptr) return nullptr;
  const auto it = std::find_if(
      table->begin(), table->end(), [&](const auto& member) { return member.first == key; });
  return it == table->end() ? nullptr : &it->second;
}

Value* Value::find(std::string_view key) {
  return const_cast<Value*>(std::as_const(*this).find(key));
}

const Value& Value::at(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) throw Error(Code::Usage, fmt::format("missing key `{}`", key));
  return *value;
}

Value& Value::operator[](std::string_view key) {
  if (is_null()) data_ = Table{};
  if (Value* value = find(key)) return *value;
  return as_table().emplace_back(std::string(key), Value()).second;
}

bool Value::erase(std::string_view key) {
  Table* table = std::get_if<Table>(&data_);
  return table != nullptr &&
         std::erase_if(*table, [&](const auto& member) { return member.first == key; }) > 0;
}

std::string Value::get(std::string_view key, const char* otherwise) const {
  const Value* value = find(key);
  return value == nullptr ? std::string(otherwise) : value->as_string();
}

int64_t Value::get(std::string_view key, int64_t otherwise) const {
  const Value* value = find(key);
  return value == nullptr ? otherwise : value->as_int();
}

double Value::get(std::string_view key, double otherwise) const {
  const Value* value = find(key);
  return value == nullptr ? otherwise : value->as_float();
}

bool Value::get(std::string_view key, bool otherwise) const {
  const Value* value = find(key);
  return value == nullptr ? otherwise : value->as_bool();
}

bool Value::operator==(const Value& other) const {
  if (!is_table() || !other.is_table()) return data_ == other.data_;
  const Table& table = as_table();
  return table.size() == other.as_table().size() &&
         std::all_of(table.begin(), table.end(), [&](const auto& member) {
           const Value* twin = other.find(member.first);
           return twin != nullptr && *twin == member.second;
         });
}

}  // namespace mortise
