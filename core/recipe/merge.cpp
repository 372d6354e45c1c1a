// Deep merge of two recipe trees and the rule for a changed `type`: parameters belong to the
// component that they were written for, so they go with it; the keys of the slot (lr, weight_decay,
// every, …) belong to the place and stay.
#include <algorithm>

#include "core/recipe/compose.hpp"
#include "core/recipe/tables.hpp"
#include "toml_print.hpp"

namespace mortise::core {

namespace {

// "stage.quant.optimizer" → "optimizer": a stage has the shape of a recipe.
std::string_view inside_stage(std::string_view path) {
  if (!path.starts_with("stage.")) return path;
  const size_t dot = path.find('.', 6);
  return dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
}

std::string_view bare_name(std::string_view type) {
  return type.substr(type.find(':') == std::string_view::npos ? 0 : type.find(':') + 1);
}

bool is_slot_key(const Slot* slot, std::string_view key) {
  return slot != nullptr &&
         std::any_of(slot->keys.begin(), slot->keys.end(), [&](const FieldInfo& f) {
           return f.name == key || f.renamed_from == key;
         });
}

void drop_parameters(Node& base,
                     const Node& over,
                     const Slot* slot,
                     const std::string& path,
                     std::vector<Dropped>& dropped) {
  const std::string old_type = base.type(), new_type = over.type();
  std::erase_if(base.children, [&](const Node& child) {
    if (child.key == "type" || is_slot_key(slot, child.key)) return false;
    dropped.push_back({join_path(path, child.key),
                       brief(child),
                       child.key_origin,
                       old_type,
                       new_type,
                       over.find("type")->origin});
    return true;
  });
}

}  // namespace

void merge(Node& base, Node over, const std::string& path, std::vector<Dropped>& dropped) {
  if (!base.is_table() || !over.is_table()) {
    std::string key = std::move(base.key);
    base = std::move(over);
    base.key = std::move(key);
    return;
  }
  const Slot* slot = find_slot(inside_stage(path));
  const std::string old_type =
      base.type().empty() && slot != nullptr ? slot->default_type : base.type();
  const std::string new_type = over.type();
  if (!new_type.empty() && !old_type.empty() && bare_name(new_type) != bare_name(old_type))
    drop_parameters(base, over, slot, path, dropped);
  for (Node& child : over.children) {
    if (Node* old = base.find(child.key)) {
      const std::string below = join_path(path, child.key);
      old->key_origin = child.key_origin;
      merge(*old, std::move(child), below, dropped);
    } else {
      base.children.push_back(std::move(child));
    }
  }
  base.origin = over.origin;
}

}  // namespace mortise::core
