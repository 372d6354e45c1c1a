// What components of kind `architecture` share: reading config.json of a Hugging Face folder with
// messages that name the key, and reading a [model] table back with messages that name its path.
//
// A key that changes the numbers and cannot be honoured is an error; a key that nobody read is told
// in a warning.  Both dialects are read (transformers 4: rope_theta + rope_scaling; 5:
// rope_parameters), the keys of 4 are written, which 5 reads too.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mortise/api.hpp"
#include "mortise/value.hpp"

namespace mortise {

/// How a family names the rotary keys of transformers 4.
struct RopeKeys {
  std::string_view theta = "rope_theta";
  std::string_view fraction = {};  // empty: the whole head is turned
  double default_fraction = 1;
};

/// Reads one config.json.  Every getter throws DataError naming the key when its value is of
/// another kind.  Lifetime: `config` outlives this object.   Thread: [one thread at a time].
class MORTISE_API HfConfig {
 public:
  /// `reader` names the architecture in messages; `place` goes before every key ("rope_scaling.").
  HfConfig(const Value& config, std::string reader, std::string place = {});

  /// The member, or null when it is absent or null.
  const Value* find(std::string_view key);
  /// Says whether the key is there with the value null, which some families read differently from
  /// its absence.
  bool has_null(std::string_view key) const;
  int64_t positive(std::string_view key);  // Throws: DataError when it is absent, too
  int64_t positive(std::string_view key, int64_t otherwise);
  /// A positive integer that divides `whole`, which the key `of` gave: heads divide a width.
  int64_t divisor(std::string_view key, std::string_view of, int64_t whole);
  double number(std::string_view key, double otherwise);
  bool flag(std::string_view key, bool otherwise);
  std::string text(std::string_view key, const std::string& otherwise);
  /// The form of GELU that an activation means: "exact" or "tanh".  The library's three names of
  /// the tanh form differ in rounding only.
  std::string gelu_form(std::string_view key, const std::string& otherwise);

  /// Refuses every value but this one, absence and null.
  void only(std::string_view key, const Value& neutral);
  /// Says that the numbers do not depend on this key.
  void ignore(std::initializer_list<std::string_view> keys);
  /// Warns of a dropout that is not zero: the model is trained without it.
  void warn_of_dropout(std::initializer_list<std::string_view> keys);
  /// Warns of keys that nobody asked for.
  void warn_of_unread() const;

  /// The rotary parameters of either dialect: theta, scaling = { type, … } and, when `keys` names
  /// it, fraction.  `longest` is max_position_embeddings.
  Value rope(const RopeKeys& keys, int64_t longest);
  /// The same as a whole table: { type = "rope", … }.
  Value rope_position(const RopeKeys& keys, int64_t longest);

  [[noreturn]] void refuse(std::string_view key,
                           const std::string& found,
                           const std::string& wanted) const;

 private:
  Value scaling(HfConfig& parameters, int64_t longest) const;

  const Value& config_;
  std::string reader_, place_;
  std::set<std::string, std::less<>> read_;
};

/// The longest sequence of a model whose rotary parameters are `rope`: scaling of the kinds
/// "dynamic" and "yarn" reaches `factor` times beyond the original context.
MORTISE_API int64_t reach_of_rope(const Value& rope, int64_t longest);

/// Reads a resolved [model] table for to_hf() and names().  Lifetime: `spec` outlives this object.
class MORTISE_API SpecReader {
 public:
  SpecReader(const Value& spec, std::string writer) : spec_(spec), writer_(std::move(writer)) {}

  /// One table for each layer, in order; those of one [model.layer.NAME] repeat.  Throws: Error
  /// when there is none.
  std::vector<const Value*> layers() const;
  /// The part itself.  Throws: Error when `part.type` is another, naming `path`.
  const Value& typed(const Value& table, std::string_view key, std::string_view type) const;
  /// Throws: Error when the layers differ in what is under `key`.
  void same_in_all(std::string_view key) const;
  /// The one kind of layer that the stack repeats.  Throws: Error when layers differ in one of
  /// `keys`, its type is none of `types`, or it has another norm than the model.
  const Value& one_kind(std::initializer_list<std::string_view> types,
                        std::initializer_list<std::string_view> keys) const;
  /// Throws: Error unless the flag `key` of a part is `wanted`; `path` is the part's
  /// ("model.norm"), `otherwise` what the flag is when it is absent.
  void want_flag(const std::string& path,
                 const Value& part,
                 std::string_view key,
                 bool otherwise,
                 bool wanted) const;
  /// Throws: Error unless every head has keys and values of its own, is width / heads wide, and
  /// knows no norm and no sliding window.
  void want_plain_heads(const Value& attention) const;
  /// Refuses every embedding but `token` without positions of its own.
  void want_plain_embedding() const;
  /// The standard deviation that the weights started with; 0.02 where none is given.
  double init_std() const;
  /// Writes the position of an attention as write_rope() does.  Throws: Error when it is another
  /// than `rope`; absent, it is a plain one.
  void write_position(const Value& attention, const RopeKeys& keys, Value& config) const;
  /// Writes the rotary parameters in keys of transformers 4; for "dynamic" scaling also
  /// max_position_embeddings.  Throws: Error on a kind of scaling that the dialect lacks.
  void write_rope(const Value& position, const RopeKeys& keys, Value& config) const;

  [[noreturn]] void refuse(const std::string& path,
                           const std::string& found,
                           std::string_view wanted) const;

 private:
  const Value& spec_;
  std::string writer_;
};

/// A present member that is not null, or null: resolved tables hold null for absent parameters.
MORTISE_API const Value* present(const Value& table, std::string_view key);
/// An integer of a resolved table, or `otherwise` when it is absent or null.
MORTISE_API int64_t present_int(const Value& table, std::string_view key, int64_t otherwise);
/// A scalar as it stands in a message: 3, true, "text"; the kind of anything else.
MORTISE_API std::string text_of(const Value& value);

}  // namespace mortise
