// The byte-level BPE model: tokens, merges, and the encoding of one word.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flat_map.hpp"

namespace mortise::tokenizer::byte_bpe {

/// A vocabulary as tokenizer.json holds it: text in the byte-level alphabet, merges in order of
/// rank.
struct Vocabulary {
  std::vector<std::pair<std::string, int32_t>> tokens;  // by id, ascending; ids may have holes
  std::vector<std::pair<std::string, std::string>> merges;
  std::string unknown;         // the model's unk_token; empty: none
  bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say
};

/// Encodes words.  Immutable after construction.   Thread: [any-thread, concurrent].
class BpeModel {
 public:
  /// Throws: DataError naming the merge or token ("model.merges[3]").
  explicit BpeModel(const Vocabulary& vocabulary);

  /// Appends the tokens of one word (raw bytes, not empty), and their lengths in bytes when
  /// `lengths` is given.
  void encode_word(std::string_view word,
                   std::vector<int32_t>& ids,
                   std::vector<int32_t>* lengths) const;

  /// The text of a token as in the file, or null when no token has this id.
  const std::string* text_of(int32_t id) const;
  std::optional<int32_t> id_of(std::string_view text) const;

  int64_t num_tokens() const { return num_tokens_; }

  /// The largest id plus one.
  int64_t id_limit() const { return static_cast<int64_t>(texts_.size()); }

 private:
  struct MergeRule {
    int32_t rank, result;
  };

  struct Symbol {
    int32_t id, size;
  };

  void read_tokens(const Vocabulary& vocabulary);
  void read_merges(const Vocabulary& vocabulary);
  void read_bytes(const Vocabulary& vocabulary);
  const MergeRule* rule(int32_t left, int32_t right) const;
  size_t start_word(std::string_view bytes, Symbol* symbols) const;
  size_t merge_short(Symbol* symbols, size_t count) const;
  size_t merge_long(Symbol* symbols, size_t count) const;
  void encode_uncached(std::string_view word,
                       std::vector<int32_t>& ids,
                       std::vector<int32_t>* lengths) const;

  std::vector<std::string> texts_;   // by id
  std::vector<int32_t> byte_sizes_;  // by id; -1: no token has this id
  std::vector<int32_t> byte_ids_;    // by byte; -1: the byte has no token
  FlatStringMap ids_;                // text → id
  FlatMap<MergeRule> rules_;         // left id << 32 | right id
  int64_t num_tokens_ = 0;
  uint64_t identity_ = 0;  // tells the word caches of threads whose words they hold
  bool ignore_merges_ = false;
  bool all_bytes_ = true;
};

}  // namespace mortise::tokenizer::byte_bpe
