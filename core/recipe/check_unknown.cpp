// A key that nobody knows: what was meant?  In this order: another framework's name, the nearest
// key of the table, a neighbour of the same kind that has it (left over from another `type`), and
// the same key elsewhere in the recipe.
#include <algorithm>

#include <fmt/format.h>

#include "core/recipe/checker.hpp"
#include "core/recipe/suggest.hpp"

namespace mortise::core {

namespace {

// "model.layer.NAME.attention" against "model.layer.dense.attention".
bool same_table(std::string_view pattern, std::string_view path) {
  while (true) {
    const size_t a = pattern.find('.'), b = path.find('.');
    if (pattern.substr(0, a) != "NAME" && pattern.substr(0, a) != path.substr(0, b)) return false;
    if (a == std::string_view::npos || b == std::string_view::npos) return a == b;
    pattern.remove_prefix(a + 1);
    path.remove_prefix(b + 1);
  }
}

std::vector<std::string> accepted_keys(const Block& block) {
  std::vector<std::string> keys = block.extra;
  for (const FieldInfo* info : block.fields) keys.push_back(info->name);
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::erase(keys, "*");
  return keys;
}

}  // namespace

std::string Checker::elsewhere(const std::string& key) const {
  for (const CoreTable& table : core_tables())
    for (const FieldInfo& field : table.fields)
      if (field.name == key && table.path.find('*') == std::string::npos)
        return table.path + "." + key;
  for (const Slot& slot : slots())
    for (const FieldInfo& field : slot.keys)
      if (field.name == key && slot.path.find('*') == std::string::npos)
        return slot.path + "." + key;
  for (const UsedComponent& use : used_) {
    try {
      if (use.entry->schema().find(key) != nullptr) return use.path + "." + key;
    } catch (const Error&) {
      continue;  // reported where that component stands
    }
  }
  return "";
}

void Checker::unknown(const Block& block, const Node& child, const std::string& path) {
  const std::string title = path.empty() ? "at the top level" : fmt::format("in [{}]", path);
  Diagnostic& d =
      report("E102", fmt::format("unknown key `{}` {}", child.key, title), child.key_origin);
  constexpr size_t kMostSearched = 200;  // as many as are shown
  if (pending_.size() > kMostSearched) return;
  d.owner = block.owner;
  d.accepted = accepted_keys(block);
  const ForeignName* foreign = foreign_name(child.key);
  if (foreign != nullptr) {
    const size_t dot = foreign->ours.rfind('.');
    const std::string_view table =
        dot == std::string_view::npos ? "" : foreign->ours.substr(0, dot);
    const std::string last(foreign->ours.substr(dot == std::string_view::npos ? 0 : dot + 1));
    const bool here = dot == std::string_view::npos || same_table(table, path);
    const bool known = std::find(d.accepted.begin(), d.accepted.end(), last) != d.accepted.end();
    if (!here || known) {
      d.suggestion = here ? last : std::string(foreign->ours);
      d.fix = std::string(foreign->remark);
      return;
    }
  }
  d.suggestion = nearest(child.key, d.accepted);
  if (!d.suggestion.empty()) return;
  for (const ComponentEntry* entry :
       catalog_.components(block.kind.empty() ? "-" : std::string_view(block.kind))) {
    if (entry->name == block.type) continue;
    try {
      if (entry->schema().find(child.key) == nullptr) continue;
    } catch (const Error&) {
      continue;  // a broken neighbour is not this recipe's mistake
    }
    const bool in_file = child.key_origin.kind == Origin::Kind::File;
    d.fix = fmt::format("`{}` is a parameter of \"{}\": remove {}, or write type = \"{}\"",
                        child.key,
                        entry->name,
                        in_file ? fmt::format("line {}", child.key_origin.line) : "it",
                        entry->name);
    return;
  }
  d.suggestion = elsewhere(child.key);
}

}  // namespace mortise::core
