// Restricted Damerau-Levenshtein distance (Damerau 1964; one row of memory per edit row), and the
// table of names that users of Hugging Face Transformers/TRL/PEFT, axolotl, torchtune,
// LLaMA-Factory, litgpt and torchtitan type out of habit.
#include "core/recipe/suggest.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace mortise::core {

namespace {

constexpr ForeignName kForeign[] = {
#include "core/recipe/foreign_names.inc"
};

}  // namespace

const ForeignName* foreign_name(std::string_view word) {
  for (const ForeignName& name : kForeign)
    if (name.theirs == word) return &name;
  if (word.size() < 7) return nullptr;  // short words are too near to everything
  for (const ForeignName& name : kForeign)
    if (name.theirs.size() >= 7 && edit_distance(word, name.theirs) == 1) return &name;
  return nullptr;
}

}  // namespace mortise::core
