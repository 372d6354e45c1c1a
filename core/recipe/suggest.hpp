// "did you mean": the nearest valid name, and what a name from another framework is called here.
#pragma once

#include <string_view>

#include "mortise/names.hpp"

namespace mortise::core {

/// What another framework's name is called in a recipe.
struct ForeignName {
  std::string_view theirs;  // "learning_rate"
  std::string_view ours;    // "optimizer.lr"
  std::string_view remark;  // shown as the fix when it is not a plain renaming; may be empty
};

/// Finds a foreign name, also when it is misspelt by a letter.  Returns null when there is none.
const ForeignName* foreign_name(std::string_view word);

}  // namespace mortise::core
