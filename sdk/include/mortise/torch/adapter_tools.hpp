// What adapters share: the projections of a model, target patterns in both spellings (ours and
// PEFT's), and PEFT's folder (adapter_config.json, adapter_model.safetensors).
//
// PEFT's layout: huggingface/peft 0.21, src/peft/utils/save_and_load.py.  Names are
// "base_model.model.<path>.<tensor>"; the tensors of expert e of a GroupedLinear stand under the
// path that one module an expert would have ("…experts.3.gate_proj").
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/error.hpp"
#include "mortise/torch/adapter.hpp"
#include "mortise/torch/grouped_linear.hpp"
#include "mortise/torch/linear.hpp"

namespace mortise {

/// One projection of a model: either of the two is set.   Lifetime: that of the model.
struct Projection {
  std::string path;
  Linear* linear = nullptr;
  GroupedLinear* grouped = nullptr;

  int64_t num_experts() const { return grouped == nullptr ? 1 : grouped->num_experts(); }

  const at::Tensor& weight() const {
    return grouped == nullptr ? linear->weight() : grouped->weight();
  }
};

/// All projections in the order of the tree.   Thread: [main-thread], as all here.
MORTISE_API std::vector<Projection> projections(Module& model);

/// Those that a pattern means.  Throws: Error listing near names when a pattern means none and
/// `check` is set.
MORTISE_API std::vector<Projection> targeted(const std::vector<Projection>& all,
                                             const std::vector<std::string>& patterns,
                                             bool check);

/// Those that PEFT's `target_modules` means: a list of endings, or one regular expression.
MORTISE_API std::vector<Projection> peft_targeted(const std::vector<Projection>& all,
                                                  const Value& target_modules);

/// The key of PEFT's rank_pattern or alpha_pattern that means this path (the first one that matches
/// as a regular expression at its end); null: none.
MORTISE_API const Value* peft_pattern(const Value& patterns, const std::string& path);

/// The name of a projection in PEFT's files.
MORTISE_API std::string peft_path(const Projection& projection, int64_t expert);

/// What `target_modules` says: the patterns themselves, or the paths when one of them has a `*`.
MORTISE_API Value peft_targets(const std::vector<std::string>& patterns,
                               const std::vector<Projection>& chosen);

/// The keys that adapter_config.json begins with, whatever the kind; `base` names the base model.
MORTISE_API Value peft_config(std::string_view type, const std::string& base);

/// Refuses keys of adapter_config.json that an adapter does not know and that change the maths.
/// Throws: DataError naming the first that is set (null, false, "none" and empty ones are not).
MORTISE_API void refuse_set_keys(const Value& file, std::initializer_list<std::string_view> keys);

/// The pattern that means `path`, the longest when several do; null: none.
template <class T>
const T* longest_match(const std::map<std::string, T>& patterns, const std::string& path) {
  const T* found = nullptr;
  size_t length = 0;
  for (const auto& [pattern, value] : patterns) {
    if (!is_target(pattern, path) || (found != nullptr && pattern.size() <= length)) continue;
    found = &value;
    length = pattern.size();
  }
  return found;
}

/// Takes a parameter from the file that an adapter continues from.  Throws: Error when the recipe
/// asks for something else (a value that is neither the default nor the file's).
template <class T>
void take_from_file(const char* name, T& mine, const T& file, const T& otherwise) {
  if (mine != file && mine != otherwise)
    throw Error(
        Code::Usage,
        fmt::format("adapter.{} is {}, and the adapter in adapter.from has {}", name, mine, file),
        fmt::format("leave adapter.{} out, or start a new adapter without `from`", name));
  mine = file;
}

/// Takes the gradient from every parameter of a tree.
MORTISE_API void freeze(Module& module);

/// Reads DIR/adapter_config.json.  Throws: DataError when it is not there or not an object.
MORTISE_API Value read_adapter_config(const std::string& directory);

/// Writes DIR with both files; it appears whole, by one rename.  Throws: Error{Io}; Error when DIR
/// exists and is not empty.
MORTISE_API void save_adapter(Adapter& adapter,
                              const std::string& directory,
                              const std::string& base);

/// Fills the adapter from DIR/adapter_model.safetensors.  Throws: DataError listing missing,
/// unexpected and misshapen tensors, all at once.
MORTISE_API void load_adapter(Adapter& adapter, const std::string& directory);

}  // namespace mortise
