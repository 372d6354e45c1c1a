// One value against one FieldInfo.  int → float always; float → int when exact (1e4); text → number
// by the field's unit.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "mortise/units.hpp"

#include "core/recipe/checker.hpp"
#include "toml_print.hpp"

namespace mortise::core {

namespace {

std::string range_text(const FieldInfo& info) {
  const auto number = [&](double x) {
    return info.type == FieldType::Int || std::nearbyint(x) == x ? fmt::format("{:.0f}", x)
                                                                 : fmt::format("{}", x);
  };
  if (info.min && info.max)
    return fmt::format(
        " in {}{}, {}]", info.min_excluded ? "(" : "[", number(*info.min), number(*info.max));
  if (info.min) return fmt::format(" {} {}", info.min_excluded ? ">" : ">=", number(*info.min));
  return info.max ? fmt::format(" <= {}", number(*info.max)) : "";
}

std::string choice_text(const FieldInfo& info) {
  std::string out;
  for (const Value& choice : info.choices) out += (out.empty() ? "" : ", ") + toml_inline(choice);
  return "one of " + out;
}

const char* expected_word(const FieldInfo& info) {
  switch (info.type) {
    case FieldType::Bool:
      return "true or false";
    case FieldType::Int:
      return "integer";
    case FieldType::Float:
      return "float";
    case FieldType::String:
      return "string";
    case FieldType::Array:
      return "array";
    case FieldType::Map:
      return "table of names";
    case FieldType::Table:
      return "table";
    case FieldType::Component:
      return "table with a `type`";
    case FieldType::Any:
      return "value";
  }
  return "value";
}

const FieldInfo* by_name(const Block& block, std::string_view key) {
  for (const FieldInfo* info : block.fields)
    if (info->name == key) return info;
  return nullptr;
}

const FieldInfo* by_old_name(const Block& block, std::string_view key) {
  for (const FieldInfo* info : block.fields)
    if (!info->renamed_from.empty() && info->renamed_from == key) return info;
  return nullptr;
}

}  // namespace

void Checker::wrong_type(const FieldInfo& info,
                         const Node& given,
                         const std::string& path,
                         std::string fix) {
  std::string expected = info.choices.empty() || info.type == FieldType::Array
                             ? expected_word(info) + range_text(info)
                             : choice_text(info);
  if (!info.unit.empty() && (info.type == FieldType::Int || info.type == FieldType::Float))
    expected += fmt::format(" ({}, or a text such as {})", info.unit, quantity_example(info.unit));
  Diagnostic& d = report(
      "E110", fmt::format("{}: expected {}, got {}", path, expected, brief(given)), given.origin);
  d.fix = std::move(fix);
}

bool Checker::number(const FieldInfo& info, const Node& given, Node& out) {
  const bool is_int = info.type == FieldType::Int;
  double real = 0;
  if (given.kind == Value::Kind::Int) {
    if (!is_int) out.scalar = static_cast<double>(given.scalar.as_int());
    return true;
  }
  if (given.is_string() && !info.unit.empty()) {
    const auto quantity = parse_quantity(given.text(), info.unit);
    if (!quantity) return false;
    real = *quantity;
  } else if (given.kind == Value::Kind::Float) {
    real = given.scalar.as_float();
  } else {
    return false;
  }
  if (!std::isfinite(real)) return false;
  if (!is_int) {
    out.scalar = real;
    return true;
  }
  if (std::nearbyint(real) != real || std::fabs(real) > 9e18) return false;
  out.scalar = static_cast<int64_t>(real);
  return true;
}

bool Checker::bounds(const FieldInfo& info,
                     const Node& value,
                     const Node& given,
                     const std::string& path) {
  const auto in_range = [&](const Node& node) {
    if (!node.scalar.is_number()) return true;
    const double x = node.scalar.as_float();
    return !(info.min && (info.min_excluded ? x <= *info.min : x < *info.min)) &&
           !(info.max && x > *info.max);
  };
  const auto allowed = [&](const Node& node) {
    return info.choices.empty() ||
           std::any_of(info.choices.begin(), info.choices.end(), [&](const Value& choice) {
             return choice.is_number() && node.scalar.is_number()
                        ? choice.as_float() == node.scalar.as_float()
                        : choice == node.scalar;
           });
  };
  if (!value.is_array() && !value.is_table()) {
    if (in_range(value) && allowed(value)) return true;
    wrong_type(info, given, path);
    return false;
  }
  for (size_t i = 0; i < value.children.size(); ++i) {
    const Node& item = value.children[i];
    if (item.is_table() || item.is_array() || (in_range(item) && allowed(item))) continue;
    FieldInfo element = info.element.front();
    element.min = info.min;
    element.max = info.max;
    element.min_excluded = info.min_excluded;
    element.choices = info.choices;
    wrong_type(
        element,
        given.children[i],
        value.is_array() ? fmt::format("{}[{}]", path, i) : join_path(path, toml_key(item.key)));
    return false;
  }
  return true;
}

bool Checker::scalar(const FieldInfo& info, const Node& given, const std::string& path, Node& out) {
  bool fits = false;
  std::string fix;
  switch (info.type) {
    case FieldType::Bool:
      fits = given.kind == Value::Kind::Bool;
      break;
    case FieldType::Int:
    case FieldType::Float:
      fits = number(info, given, out);
      break;
    default:
      fits = given.is_string();
      break;
  }
  if (!fits) {
    const bool is_word = given.is_string() && info.type == FieldType::Bool &&
                         (given.text() == "true" || given.text() == "false");
    const bool is_number = given.is_string() && info.unit.empty() &&
                           (info.type == FieldType::Int || info.type == FieldType::Float) &&
                           parse_quantity(given.text(), "").has_value();
    if (is_word || is_number) fix = fmt::format("{} = {}   (without quotes)", path, given.text());
    if (info.type == FieldType::String && info.choices.empty() && info.interface_id.empty() &&
        (given.scalar.is_number() || given.scalar.is_bool()))
      fix = fmt::format("{} = \"{}\"", path, brief(given));
    wrong_type(info, given, path, fix);
    return false;
  }
  out.kind = out.scalar.kind();
  return bounds(info, out, given, path);
}

bool Checker::nested_table(const FieldInfo& info,
                           const Node& given,
                           const std::string& path,
                           const Block& outer,
                           Node& out) {
  if (!given.is_table()) {
    wrong_type(info, given, path);
    return false;
  }
  Block inner;
  for (const FieldInfo& f : info.nested) inner.fields.push_back(&f);
  inner.owner = outer.owner;
  inner.default_origin = outer.default_origin;
  inner.defaults = info.default_value.is_table() ? &info.default_value : nullptr;
  return block(inner, given, path, out);
}

bool Checker::field(const FieldInfo& info,
                    const Node& given,
                    const std::string& path,
                    const Block& outer,
                    Node& out) {
  out = given;
  if (given.is_broken) return false;
  switch (info.type) {
    case FieldType::Any:
      return true;
    case FieldType::Table:
      return nested_table(info, given, path, outer, out);
    case FieldType::Component:
      return component(
          info.interface_id, nullptr, info.default_value.get("type", ""), given, path, out);
    case FieldType::Array:
    case FieldType::Map:
      break;
    default: {
      const bool ok = scalar(info, given, path, out);
      if (ok && info.names_score && !out.text().empty())
        scores_.push_back({path, out.text(), outer.owner, given.origin});
      const bool names_component = ok && info.type == FieldType::String &&
                                   !info.interface_id.empty() &&
                                   (has_model_ || given.origin.kind != Origin::Kind::Default);
      return !names_component || out.text().empty()
                 ? ok
                 : provider(kind_of(info.interface_id), out.text(), given, path) != nullptr;
    }
  }
  const bool is_array = info.type == FieldType::Array;
  if (is_array ? !given.is_array() : !given.is_table()) {
    wrong_type(info,
               given,
               path,
               is_array && info.element.front().type != FieldType::Array
                   ? fmt::format("{} = [{}]", path, brief(given))
                   : "");
    return false;
  }
  bool ok = true;
  for (size_t i = 0; i < given.children.size(); ++i) {
    const Node& item = given.children[i];
    const std::string below =
        is_array ? fmt::format("{}[{}]", path, i) : join_path(path, toml_key(item.key));
    ok = field(info.element.front(), item, below, outer, out.children[i]) && ok;
    out.children[i].key = item.key;
    out.children[i].key_origin = item.key_origin;
  }
  return ok && bounds(info, out, given, path);
}

bool Checker::block(const Block& block, const Node& given, const std::string& path, Node& out) {
  out = Node::table(given.origin);
  out.key = given.key;
  out.key_origin = given.key_origin;
  bool ok = true;
  for (const Node& child : given.children) {
    const FieldInfo* info = by_name(block, child.key);
    if (info == nullptr &&
        std::find(block.extra.begin(), block.extra.end(), child.key) != block.extra.end())
      continue;
    if (info == nullptr && (info = by_old_name(block, child.key)) != nullptr) {
      Diagnostic& d =
          report("W101",
                 fmt::format("`{}` in [{}] is now called `{}`", child.key, path, info->name),
                 child.key_origin);
      d.fix = fmt::format("{} = {}", info->name, brief(child));
      if (given.find(info->name) != nullptr)
        report("E105",
               fmt::format(
                   "`{}` and `{}` in [{}] are the same parameter", child.key, info->name, path),
               child.key_origin);
    }
    if (info == nullptr) {
      unknown(block, child, path);
      ok = false;
      continue;
    }
    Node value;
    if (!field(*info, child, join_path(path, info->name), block, value)) ok = false;
    value.key_origin = child.key_origin;
    if (!value.is_null()) out.put(info->name, std::move(value));
  }
  const size_t before = pending_.size();
  defaults(block, given, path, out);
  return ok && pending_.size() == before;
}

void Checker::defaults(const Block& block, const Node& given, const std::string& path, Node& out) {
  Node sorted = Node::table(out.origin);  // in the order of the schema
  sorted.key = out.key;
  sorted.key_origin = out.key_origin;
  for (const FieldInfo* info : block.fields) {
    if (Node* have = out.find(info->name)) {
      sorted.children.push_back(std::move(*have));
      continue;
    }
    if (given.find(info->name) != nullptr ||
        (!info->renamed_from.empty() && given.find(info->renamed_from) != nullptr))
      continue;  // wrong, or "none"
    const Value* value = block.defaults == nullptr ? nullptr : block.defaults->find(info->name);
    if (value == nullptr || value->is_null()) value = &info->default_value;
    const std::string below = join_path(path, info->name);
    if (info->required && value->is_null()) {
      Diagnostic& d = report(
          "E103", fmt::format("[{}] lacks `{}`: {}", path, info->name, info->doc), given.origin);
      d.owner = block.owner;
      d.fix = fmt::format("{} = …", info->name);
      continue;
    }
    if (value->is_null() && (info->type != FieldType::Table || info->optional)) continue;
    Node standard =
        Node::of(info->type == FieldType::Table && value->is_null() ? Value::table() : *value,
                 block.default_origin);
    std::erase_if(standard.children, [](const Node& child) { return child.is_null(); });
    Node filled = standard;
    const bool is_structure = info->type == FieldType::Component ||
                              info->type == FieldType::Table || !info->interface_id.empty() ||
                              info->names_score;
    if (is_structure && !field(*info, standard, below, block, filled)) continue;
    if (!filled.is_null()) {
      filled.key_origin = block.default_origin;
      sorted.put(info->name, std::move(filled));
    }
  }
  out.children = std::move(sorted.children);
}

}  // namespace mortise::core
