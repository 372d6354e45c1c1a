// JSON ↔ Value on nlohmann/json's SAX parser, which stays inside this file.
#include "mortise/json.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "mortise/error.hpp"

namespace mortise {

namespace {

constexpr size_t kMaxDepth = 200;

using Json = nlohmann::json;

struct LineColumn {
  size_t line = 1, column = 1;
};

LineColumn locate(std::string_view text, size_t at) {
  LineColumn place;
  for (size_t i = 0; i < std::min(at, text.size()); ++i) {
    if (text[i] == '\n')
      place = {place.line + 1, 1};
    else
      ++place.column;
  }
  return place;
}

// Builds a Value from events; keeps the stack of open containers by copy, moved into the parent
// when closed.
class Builder : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return put(Value()); }

  bool boolean(bool value) override { return put(value); }

  bool number_integer(number_integer_t value) override { return put(static_cast<int64_t>(value)); }

  bool number_unsigned(number_unsigned_t value) override {
    if (value <= static_cast<number_unsigned_t>(INT64_MAX)) return put(static_cast<int64_t>(value));
    return put(static_cast<double>(value));
  }

  bool number_float(number_float_t value, const string_t&) override { return put(value); }

  bool string(string_t& value) override { return put(std::move(value)); }

  bool binary(binary_t&) override { return false; }

  bool start_object(size_t) override { return open(Value::table()); }

  bool start_array(size_t) override { return open(Value::array()); }

  bool end_object() override { return close(); }

  bool end_array() override { return close(); }

  bool key(string_t& key) override {
    if (is_repeated(key)) return fail("the key \"" + key + "\" stands twice in one object");
    keys_.back() = std::move(key);
    return true;
  }

  bool parse_error(size_t position,
                   const std::string&,
                   const nlohmann::detail::exception& error) override {
    position_ = position;
    const std::string what = error.what();
    const size_t colon = what.find(": ", what.find("column"));
    message_ = colon == std::string::npos ? what : what.substr(colon + 2);
    return false;
  }

  Value root;
  std::string message_;
  size_t position_ = 0;

 private:
  bool fail(std::string message) {
    message_ = std::move(message);
    return false;
  }

  // Look-up in a table is linear: big ones (a weight map has 100,000 names) are remembered in a set
  // beside it.
  bool is_repeated(const std::string& key) {
    constexpr size_t kManyKeys = 32;
    const Value& table = open_.back();
    if (table.as_table().size() < kManyKeys) return table.find(key) != nullptr;
    auto& seen = seen_.back();
    if (seen.empty())
      for (const auto& member : table.as_table()) seen.insert(member.first);
    return !seen.insert(key).second;
  }

  bool open(Value container) {
    if (open_.size() >= kMaxDepth) return fail("nesting is deeper than 200");
    open_.push_back(std::move(container));
    keys_.emplace_back();
    seen_.emplace_back();
    return true;
  }

  bool close() {
    Value done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    seen_.pop_back();
    return put(std::move(done));
  }

  bool put(Value value) {
    if (open_.empty())
      root = std::move(value);
    else if (open_.back().is_array())
      open_.back().as_array().push_back(std::move(value));
    else
      open_.back().as_table().emplace_back(std::move(keys_.back()), std::move(value));
    return true;
  }

  std::vector<Value> open_;
  std::vector<std::string> keys_;
  std::vector<std::unordered_set<std::string>> seen_;  // keys of open tables, once they are many
};

std::string float_text(double value) {
  if (!std::isfinite(value)) throw Error(Code::Usage, "JSON cannot hold NaN or infinity");
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";  // stays a float when read back
  return text;
}

std::string string_text(const std::string& text) {
  try {
    return Json(text).dump();
  } catch (const Json::exception&) {
    throw Error(Code::Usage, "JSON cannot hold a text that is not UTF-8");
  }
}

void append(const Value& value, int indent, int depth, std::string& out);

template <class Items, class Write>
void append_items(const Items& items,
                  char open,
                  char close,
                  int indent,
                  int depth,
                  std::string& out,
                  Write write) {
  const auto new_line = [&](int level) {
    if (indent >= 0) out.append("\n").append(static_cast<size_t>(indent * level), ' ');
  };
  out += open;
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += indent >= 0 ? "," : ", ";
    first = false;
    new_line(depth + 1);
    write(item);
  }
  if (!first) new_line(depth);
  out += close;
}

void append(const Value& value, int indent, int depth, std::string& out) {
  switch (value.kind()) {
    case Value::Kind::Null:
      out += "null";
      return;
    case Value::Kind::Bool:
      out += value.as_bool() ? "true" : "false";
      return;
    case Value::Kind::Int:
      out += std::to_string(value.as_int());
      return;
    case Value::Kind::Float:
      out += float_text(value.as_float());
      return;
    case Value::Kind::String:
      out += string_text(value.as_string());
      return;
    case Value::Kind::Array:
      append_items(value.as_array(), '[', ']', indent, depth, out, [&](const Value& item) {
        append(item, indent, depth + 1, out);
      });
      return;
    case Value::Kind::Table:
      append_items(value.as_table(), '{', '}', indent, depth, out, [&](const auto& member) {
        out += string_text(member.first) + ": ";
        append(member.second, indent, depth + 1, out);
      });
      return;
  }
}

}  // namespace

Value parse_json(std::string_view text, std::string_view name) {
  Builder builder;
  if (Json::sax_parse(text.begin(), text.end(), &builder)) return std::move(builder.root);
  if (builder.position_ == 0) throw DataError(fmt::format("{}: {}", name, builder.message_));
  const LineColumn place = locate(text, builder.position_ - 1);
  throw DataError(
      fmt::format("{}:{}:{}: invalid JSON: {}", name, place.line, place.column, builder.message_));
}

std::string to_json(const Value& value, int indent) {
  std::string out;
  append(value, indent, 0, out);
  return out;
}

}  // namespace mortise
