// Interface `architecture`: a foreign model folder ↔ our model specification.  Pure data: no tensor
// is touched here, so `mortise show --from-hf DIR` needs no LibTorch.
//
// A specification is the recipe's [model] table as a Value.  Parameter names inside Mortise are the
// LLaMA names of Hugging Face (model.layers.0.self_attn.q_proj.weight); an architecture maps them
// to the names on disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mortise/component.hpp"
#include "mortise/host.hpp"
#include "mortise/layout.hpp"
#include "mortise/value.hpp"

namespace mortise {

/// How one of our tensors is made of tensors on disk; every operation has an exact inverse for
/// saving.
struct TensorRule {
  enum class Op {
    Rename,     // ours = theirs[0]
    Concat,     // ours = concatenation of theirs along dim, in `sizes` rows each
    Stack,      // ours = theirs stacked along a new dim
    Slice,      // ours = theirs[0] viewed as `view`, narrowed along dim to [begin, begin +
                // sizes[0]), permuted by `order`, shaped as `shape`; an empty list leaves its step
                // out.  The slices of one tensor are joined again when it is written.
    Transpose,  // ours = theirs[0] transposed (two dimensions)
    Permute     // ours = theirs[0] viewed as `view`, permuted by `order`, viewed back
  };
  std::string ours;
  Op op = Op::Rename;
  std::vector<std::string> theirs;
  int64_t dim = 0;
  int64_t begin = 0;
  std::vector<int64_t> sizes;
  std::vector<int64_t> view, order;
  std::vector<int64_t> shape;   // Slice: of ours
  std::vector<int64_t> stored;  // Slice with a view: of theirs[0]

  static TensorRule rename(std::string ours, std::string theirs) {
    TensorRule rule;
    rule.ours = std::move(ours);
    rule.theirs.push_back(std::move(theirs));
    return rule;
  }
};

class MORTISE_API Architecture : public Component {
 public:
  using Interface = Architecture;
  using Args = NoArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "architecture/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_COMMON_TYPES,
                               MORTISE_TYPE(TensorRule),
                               MORTISE_MEMBER(TensorRule, theirs),
                               MORTISE_MEMBER(TensorRule, stored)});
  }

  /// Says whether this config.json is of this architecture.   Thread: [any-thread], as all calls
  /// here.
  virtual bool recognises(const Value& hf_config) const = 0;
  /// Translates config.json into a [model] table.  Throws: DataError naming the key that it cannot
  /// honour.
  virtual Value to_spec(const Value& hf_config) const = 0;
  /// Translates a resolved [model] table into config.json.  Throws: Error naming the part this
  /// architecture cannot express.
  virtual Value to_hf(const Value& spec) const = 0;
  /// One rule per parameter of the specification.
  virtual std::vector<TensorRule> names(const Value& spec) const = 0;

  /// Names on disk that are known and not needed; `*` stands for any run of characters.
  virtual std::vector<std::string> ignored() const { return {}; }

  /// A prefix of names on disk that a folder may leave out ("transformer."): files of the bare body
  /// of a model have no such prefix.  Written names have it.
  virtual std::string optional_prefix() const { return {}; }
};

}  // namespace mortise
