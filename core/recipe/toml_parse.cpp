// toml++ (header-only, this source alone) behind the scan.  Its tables are sorted by name; the order of the text is
// restored from the positions of the keys.  Dates have no use in a recipe and are refused.
//
// toml++ 3.3 has inputs ("[`x]") on which its own assertions fail, and compiles them away in a release.  They are kept
// here, as exceptions, and become a syntax error like any other.
namespace mortise::core {

struct ParserFault {};

[[noreturn]] inline void parser_fault() { throw ParserFault(); }

}  // namespace mortise::core

#undef NDEBUG
#define TOML_ASSERT(condition) (static_cast<bool>(condition) ? static_cast<void>(0) : ::mortise::core::parser_fault())
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <tuple>
#include <vector>

#include "core/recipe/toml_read.hpp"

namespace mortise::core {

namespace {

constexpr size_t kMaxKeys = 10'000;  // look-up in a Node is linear

class Converter {
 public:
  Converter(Origin base, Diagnostics* diagnostics) : base_(std::move(base)), diagnostics_(diagnostics) {}

  Node convert(const toml::node& from) {
    Node node;
    node.origin = at(from.source().begin);
    if (const toml::table* table = from.as_table()) {
      node.kind = Value::Kind::Table;
      members(*table, node);
    } else if (const toml::array* array = from.as_array()) {
      node.kind = Value::Kind::Array;
      for (const toml::node& item : *array) node.children.push_back(convert(item));
    } else {
      scalar(from, node);
    }
    return node;
  }

  bool failed() const { return failed_; }

 private:
  // An override has no lines: its own place stands for all of its parts.
  Origin at(const toml::source_position& position) const {
    Origin origin = base_;
    if (origin.kind == Origin::Kind::File) {
      origin.line = std::max<int32_t>(1, static_cast<int32_t>(position.line));
      origin.column = std::max<int32_t>(1, static_cast<int32_t>(position.column));
    }
    return origin;
  }

  void members(const toml::table& table, Node& node) {
    if (table.size() > kMaxKeys) return refuse(node, "E004", fmt::format("a table of {} keys, at most {} make sense", table.size(), kMaxKeys), "");
    for (auto&& [key, item] : table) {
      Node child = convert(item);
      child.key = std::string(key.str());
      child.key_origin = at(key.source().begin);
      node.children.push_back(std::move(child));
    }
    std::stable_sort(node.children.begin(), node.children.end(), [](const Node& a, const Node& b) {
      return std::tie(a.key_origin.line, a.key_origin.column) < std::tie(b.key_origin.line, b.key_origin.column);
    });
  }

  void scalar(const toml::node& from, Node& node) {
    if (const auto* b = from.as_boolean()) node.scalar = b->get();
    else if (const auto* i = from.as_integer()) node.scalar = i->get();
    else if (const auto* f = from.as_floating_point()) node.scalar = f->get();
    else if (const auto* s = from.as_string()) node.scalar = s->get();
    else {
      node.scalar = "";
      refuse(node, "E003", "dates and times have no meaning in a recipe", "put it in quotes");
    }
    node.kind = node.scalar.kind();
  }

  void refuse(const Node& node, std::string code, std::string message, std::string fix) {
    failed_ = true;
    if (diagnostics_ == nullptr) return;
    Diagnostic d;
    d.code = std::move(code);
    d.message = std::move(message);
    d.origin = node.origin;
    d.fix = std::move(fix);
    diagnostics_->add(std::move(d));
  }

  Origin base_;
  Diagnostics* diagnostics_;
  bool failed_ = false;
};

void report(const std::shared_ptr<const SourceFile>& file, std::string code, std::string message, int32_t line, int32_t column, Diagnostics& out) {
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.origin.kind = Origin::Kind::File;
  d.origin.file = file;
  d.origin.line = std::max(1, line);
  d.origin.column = std::max(1, column);
  out.add(std::move(d));
}

// An assertion has no place.  The first line with which the text up to it fails is where it is: any longer text fails too.
int32_t faulty_line(std::string_view text) {
  std::vector<size_t> ends;
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) ends.push_back(at + 1);
  ends.push_back(text.size());
  const auto passes = [&](size_t end) {
    try {
      static_cast<void>(toml::parse(text.substr(0, end)));
    } catch (const toml::parse_error&) {
      return true;
    } catch (const ParserFault&) {
      return false;
    }
    return true;
  };
  const auto it = std::partition_point(ends.begin(), ends.end(), passes);
  return static_cast<int32_t>(std::min<std::ptrdiff_t>(it - ends.begin(), std::ssize(ends) - 1)) + 1;
}

}  // namespace

Node parse_toml(const std::shared_ptr<const SourceFile>& file, Diagnostics& diagnostics) {
  Origin origin;
  origin.kind = Origin::Kind::File;
  origin.file = file;
  if (const auto fault = scan_toml(file->text)) {
    report(file, fault->code, fault->message, fault->line, fault->column, diagnostics);
    return Node::table(origin);
  }
  try {
    const toml::table table = toml::parse(std::string_view(file->text));
    Node root = Converter(origin, &diagnostics).convert(table);
    root.origin.line = root.origin.column = 1;
    return root;
  } catch (const toml::parse_error& error) {
    const auto& begin = error.source().begin;
    report(file, "E003", fmt::format("not TOML: {}", error.description()), static_cast<int32_t>(begin.line), static_cast<int32_t>(begin.column), diagnostics);
    return Node::table(origin);
  } catch (const ParserFault&) {
    report(file, "E003", "not TOML: this line is malformed", faulty_line(file->text), 1, diagnostics);
    return Node::table(origin);
  }
}

std::optional<Node> parse_toml_value(std::string_view text, const Origin& origin) {
  const std::string document = "value = " + std::string(text);
  if (text.find('\n') != std::string_view::npos || scan_toml(document)) return std::nullopt;
  try {
    const toml::table table = toml::parse(std::string_view(document));
    Converter converter(origin, nullptr);
    Node root = converter.convert(table);
    if (converter.failed() || root.children.size() != 1 || root.children[0].key != "value") return std::nullopt;
    root.children[0].key.clear();
    return std::move(root.children[0]);
  } catch (const toml::parse_error&) {
    return std::nullopt;
  } catch (const ParserFault&) {
    return std::nullopt;
  }
}

}  // namespace mortise::core
