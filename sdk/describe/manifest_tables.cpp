// The manifest reader; the writer is manifest_text.cpp.
#include "manifest_tables.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "mortise/error.hpp"
#include "mortise/pytext.hpp"

namespace mortise {

namespace {

[[noreturn]] void fail(int64_t line, std::string_view what) {
  throw PluginError(fmt::format("plugin.toml line {}: {}", line, what));
}

bool is_key_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

// Decodes one escape after a backslash; returns how many characters it took.
size_t read_escape(std::string_view rest, std::string& out, int64_t line) {
  static constexpr std::string_view kNames = "\"\\nt";
  static constexpr std::string_view kValues = "\"\\\n\t";
  if (rest.empty()) fail(line, "a string ends in a backslash");
  if (const size_t at = kNames.find(rest[0]); at != std::string_view::npos) {
    out += kValues[at];
    return 1;
  }
  uint32_t code = 0;
  const char* digits = rest.data() + 1;
  if (rest[0] != 'u' || rest.size() < 5 ||
      std::from_chars(digits, digits + 4, code, 16).ptr != digits + 4)
    fail(line, "unknown escape in a string");
  if (code >= 0xd800 && code <= 0xdfff) fail(line, "an escape is half of a surrogate pair");
  pytext::append_utf8(out, static_cast<char32_t>(code));
  return 5;
}

void expect_end(std::string_view rest, int64_t line) {
  rest = trimmed(rest);
  if (!rest.empty() && rest.front() != '#') fail(line, "more text follows the value");
}

std::string read_basic_string(std::string_view text, int64_t line) {
  std::string out;
  for (size_t i = 1; i < text.size();) {
    if (text[i] == '"') {
      expect_end(text.substr(i + 1), line);
      return out;
    }
    if (text[i] == '\\') {
      i += 1 + read_escape(text.substr(i + 1), out, line);
    } else {
      out += text[i++];
    }
  }
  fail(line, "a string does not end on its line");
}

std::string read_literal_string(std::string_view text, std::string_view quote, int64_t line) {
  const size_t end = text.rfind(quote);
  if (end < quote.size()) fail(line, "a string does not end on its line");
  expect_end(text.substr(end + quote.size()), line);
  return std::string(text.substr(quote.size(), end - quote.size()));
}

std::string read_integer(std::string_view text, int64_t line) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) fail(line, "expected a string or an integer");
  expect_end(text.substr(static_cast<size_t>(end - text.data())), line);
  return std::to_string(number);
}

// Terminals show these texts: control characters and broken UTF-8 are refused.
void check_text(const std::string& text, int64_t line) {
  if (!pytext::is_valid_utf8(text)) fail(line, "the text is not UTF-8");
  const auto is_control = [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
  };
  if (std::any_of(text.begin(), text.end(), is_control))
    fail(line, "the text holds a control character");
}

ManifestTable read_header(std::string_view text, int64_t line) {
  ManifestTable table;
  table.is_array = text.substr(0, 2) == "[[";
  const size_t brackets = table.is_array ? 2 : 1;
  const size_t end = text.find(']');
  if (end == std::string_view::npos || end <= brackets ||
      text.substr(end, brackets) != std::string_view("]]").substr(0, brackets))
    fail(line, "broken table header");
  table.name = text.substr(brackets, end - brackets);
  if (!std::all_of(table.name.begin(), table.name.end(), is_key_char))
    fail(line, "broken table name");
  expect_end(text.substr(end + brackets), line);
  return table;
}

void read_entry(std::string_view text, ManifestTable& table, int64_t line) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) fail(line, "expected key = value");
  const std::string key(trimmed(text.substr(0, equals)));
  if (key.empty() || !std::all_of(key.begin(), key.end(), is_key_char)) fail(line, "broken key");
  if (table.find(key) != nullptr) fail(line, fmt::format("the key {} stands twice", key));
  const std::string_view value = trimmed(text.substr(equals + 1));
  std::string out;
  if (value.substr(0, 3) == "'''")
    out = read_literal_string(value, "'''", line);
  else if (value.substr(0, 1) == "'")
    out = read_literal_string(value, "'", line);
  else if (value.substr(0, 1) == "\"")
    out = read_basic_string(value, line);
  else
    out = read_integer(value, line);
  check_text(out, line);
  table.entries.emplace_back(key, std::move(out));
}

}  // namespace

const std::string* ManifestTable::find(std::string_view key) const {
  const auto it = std::find_if(
      entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
  return it == entries.end() ? nullptr : &it->second;
}

std::vector<ManifestTable> read_manifest_tables(std::string_view text) {
  std::vector<ManifestTable> tables;
  for (int64_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view content = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (content.empty() || content.front() == '#') continue;
    if (content.front() == '[') {
      tables.push_back(read_header(content, line));
    } else {
      if (tables.empty()) fail(line, "a key stands before the first table");
      read_entry(content, tables.back(), line);
    }
  }
  return tables;
}

}  // namespace mortise
