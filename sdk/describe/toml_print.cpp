// The TOML writer.  Floats: std::to_chars gives the shortest text that reads back as the same
// double; a float without fraction gets ".0" so that it stays a float.
#include "toml_print.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace mortise {

namespace {

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 40> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  std::string text(buffer.data(), end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", c);
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\r')
      out += "\\r";
    else if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\u{:04x}", byte);
    else
      out += c;
  }
  return out + "\"";
}

// `${` becomes `$${`; a text that looks like an import gets a second `@`.  ${run.dir} stays: it is
// filled in by a run.
std::string escaped_references(const std::string& text) {
  std::string out;
  if (text.starts_with("@") && text.ends_with(".toml")) out += '@';
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{' &&
        text.compare(i, 10, "${run.dir}") != 0)
      out += '$';
    out += text[i];
  }
  return out;
}

std::string inline_text(const Value& value, bool escape) {
  switch (value.kind()) {
    case Value::Kind::Null:
      return "\"\"";
    case Value::Kind::Bool:
      return value.as_bool() ? "true" : "false";
    case Value::Kind::Int:
      return std::to_string(value.as_int());
    case Value::Kind::Float:
      return float_text(value.as_float());
    case Value::Kind::String:
      return quoted(escape ? escaped_references(value.as_string()) : value.as_string());
    case Value::Kind::Array: {
      std::string out = "[";
      for (const Value& item : value.as_array())
        out += (out.size() > 1 ? ", " : "") + inline_text(item, escape);
      return out + "]";
    }
    case Value::Kind::Table: {
      std::string out = "{";
      for (const auto& [key, item] : value.as_table())
        out += fmt::format(
            "{} {} = {}", out.size() > 1 ? "," : "", toml_key(key), inline_text(item, escape));
      return out + (out.size() > 1 ? " }" : "}");
    }
  }
  return "";
}

class Document {
 public:
  explicit Document(const std::function<std::string(const std::string&)>& comment)
      : comment_(comment) {}

  void table(const Value& value, const std::string& header, const std::string& path) {
    const auto& members = value.as_table();
    const bool has_plain = std::any_of(
        members.begin(), members.end(), [](const auto& m) { return !m.second.is_table(); });
    if (!header.empty() && (has_plain || members.empty()))
      text_ += fmt::format("{}[{}]\n", text_.empty() ? "" : "\n", header);
    for (const auto& [key, item] : members)
      if (!item.is_table() && !item.is_null())
        line(key, item, path.empty() ? key : path + "." + key);
    for (const auto& [key, item] : members)
      if (item.is_table())
        table(item,
              header.empty() ? toml_key(key) : header + "." + toml_key(key),
              path.empty() ? key : path + "." + key);
  }

  std::string take() { return std::move(text_); }

 private:
  void line(const std::string& key, const Value& item, const std::string& path) {
    text_ += fmt::format("{} = {}", toml_key(key), inline_text(item, /*escape=*/true));
    const std::string remark = comment_ ? comment_(path) : std::string();
    if (!remark.empty()) text_ += "  # " + remark;
    text_ += '\n';
  }

  const std::function<std::string(const std::string&)>& comment_;
  std::string text_;
};

}  // namespace

std::string toml_inline(const Value& value) { return inline_text(value, /*escape=*/false); }

std::string toml_key(std::string_view key) {
  const auto is_bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !key.empty() && std::all_of(key.begin(), key.end(), is_bare) ? std::string(key)
                                                                      : quoted(key);
}

std::string toml_document(const Value& root,
                          const std::function<std::string(const std::string&)>& comment) {
  Document document(comment);
  document.table(root, "", "");
  return document.take();
}

}  // namespace mortise
