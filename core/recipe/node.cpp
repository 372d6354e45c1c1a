// Node and Origin: look-up, conversion, and how a place is written in a message.
#include "core/recipe/node.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "toml_print.hpp"

namespace mortise::core {

std::string_view SourceFile::line(int32_t number) const {
  size_t begin = 0;
  for (int32_t i = 1; i < number; ++i) {
    begin = text.find('\n', begin);
    if (begin == std::string::npos) return {};
    ++begin;
  }
  std::string_view found(text);
  found = found.substr(begin, text.find('\n', begin) - begin);
  if (!found.empty() && found.back() == '\r') found.remove_suffix(1);
  return found;
}

Origin Origin::of_default(std::string who) {
  Origin origin;
  origin.kind = Kind::Default;
  origin.text = std::make_shared<const std::string>(std::move(who));
  return origin;
}

Origin Origin::of_override(std::string text, int32_t argument) {
  Origin origin;
  origin.kind = Kind::Override;
  origin.text = std::make_shared<const std::string>(std::move(text));
  origin.argument = argument;
  return origin;
}

Origin Origin::of_model_folder(std::string folder) {
  Origin origin;
  origin.kind = Kind::ModelFolder;
  origin.text = std::make_shared<const std::string>(std::move(folder));
  return origin;
}

std::string Origin::place() const {
  switch (kind) {
    case Kind::None:
      return "";
    case Kind::Override:
      if (argument == 0) return "sweep value " + *text;
      return fmt::format("override --set {} (argument {})", *text, argument);
    case Kind::Default:
      return fmt::format("default of {}", *text);
    case Kind::ModelFolder:
      return fmt::format("{}/config.json", *text);
    case Kind::File:
      break;
  }
  std::string out = fmt::format("{}:{}:{}", file->name, line, column);
  for (const SourceFile* at = file.get(); at->includer != nullptr; at = at->includer.get())
    out += fmt::format(" (included at {}:{})", at->includer->name, at->includer_line);
  return out;
}

Node Node::table(Origin origin) {
  Node node;
  node.kind = Value::Kind::Table;
  node.origin = std::move(origin);
  return node;
}

Node Node::of(const Value& value, const Origin& origin) {
  Node node;
  node.kind = value.kind();
  node.origin = origin;
  if (value.is_array()) {
    for (const Value& item : value.as_array()) node.children.push_back(of(item, origin));
  } else if (value.is_table()) {
    for (const auto& [name, item] : value.as_table())
      if (!item.is_null()) node.put(name, of(item, origin)).key_origin = origin;  // no such key
  } else {
    node.scalar = value;
  }
  node.is_final = true;
  return node;
}

const Node* Node::find(std::string_view name) const {
  if (!is_table()) return nullptr;
  const auto it = std::find_if(
      children.begin(), children.end(), [&](const Node& child) { return child.key == name; });
  return it == children.end() ? nullptr : &*it;
}

Node* Node::find(std::string_view name) {
  return const_cast<Node*>(std::as_const(*this).find(name));
}

const Node* Node::find_path(std::string_view path) const {
  const Node* at = this;
  while (at != nullptr && !path.empty()) {
    const size_t dot = path.find('.');
    at = at->find(path.substr(0, dot));
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return at;
}

Node& Node::put(std::string name, Node value) {
  value.key = std::move(name);
  if (Node* old = find(value.key)) return *old = std::move(value);
  return children.emplace_back(std::move(value));
}

bool Node::erase(std::string_view name) {
  return is_table() &&
         std::erase_if(children, [&](const Node& child) { return child.key == name; }) > 0;
}

std::string Node::type() const {
  const Node* node = find("type");
  return node != nullptr && node->is_string() ? node->text() : std::string();
}

Value Node::to_value() const {
  if (is_table()) {
    Value::Table out;
    for (const Node& child : children) out.emplace_back(child.key, child.to_value());
    return out;
  }
  if (is_array()) {
    Value::Array out;
    for (const Node& child : children) out.push_back(child.to_value());
    return out;
  }
  return scalar;
}

std::string join_path(std::string_view path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

namespace {

void add_paths(const Node& node, const std::string& path, std::vector<std::string>& out) {
  constexpr size_t kMost = 2000;
  if (!node.is_table()) return;
  for (const Node& child : node.children) {
    if (out.size() > kMost) return;
    const std::string below = join_path(path, child.key);
    out.push_back(below);
    add_paths(child, below, out);
  }
}

}  // namespace

std::vector<std::string> all_paths(const Node& root) {
  std::vector<std::string> out;
  add_paths(root, "", out);
  return out;
}

std::string brief(const Node& node) {
  constexpr size_t kLimit = 60;
  if (node.is_table()) return "a table";
  std::string text = node.is_array() && node.children.size() > 8
                         ? fmt::format("an array of {}", node.children.size())
                         : toml_inline(node.to_value());
  if (text.size() > kLimit) {
    size_t end = kLimit;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
      --end;  // whole characters only
    text = text.substr(0, end) + "…";
  }
  return text;
}

}  // namespace mortise::core
