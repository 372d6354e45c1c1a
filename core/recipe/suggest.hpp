// "did you mean": the nearest valid name, and what a name from another framework is called here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::core {

/// Edits (insert, delete, replace, swap of neighbours) that turn one word into the other.   Thread:
/// [any-thread].
int64_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word`, when it is near enough to be meant; empty otherwise.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// What another framework's name is called in a recipe.
struct ForeignName {
  std::string_view theirs;  // "learning_rate"
  std::string_view ours;    // "optimizer.lr"
  std::string_view remark;  // shown as the fix when it is not a plain renaming; may be empty
};

/// Finds a foreign name, also when it is misspelt by a letter.  Returns null when there is none.
const ForeignName* foreign_name(std::string_view word);

}  // namespace mortise::core
