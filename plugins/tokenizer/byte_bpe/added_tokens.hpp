// Added tokens: strings that are found in the text before anything else is done to it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mortise::tokenizer::byte_bpe {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool single_word = false;  // not inside a word
  bool lstrip = false;       // takes the white space on its left
  bool rstrip = false;
  bool normalized = false;  // found in the normalized text, by its normalized content
  bool special =
      false;  // left out when decoding with skip_special; plain text when parse_special is off
};

/// Finds a set of added tokens, leftmost-longest.   Thread: [any-thread, concurrent] once filled.
class AddedTokenFinder {
 public:
  /// A part of the text: an added token, or text between them (token == null).
  struct Part {
    size_t begin, end;
    const AddedToken* token;
  };

  AddedTokenFinder();
  /// Adds a token to be found by `content`.  Lifetime: `token` must outlive this object.
  void add(std::string_view content, const AddedToken& token);

  bool empty() const { return tokens_.empty(); }

  /// Cuts valid UTF-8 into parts.  As in the library, parts may overlap where stripped white space
  /// is itself a token.
  std::vector<Part> find(std::string_view text, bool parse_special) const;

 private:
  const AddedToken* longest_at(std::string_view text, size_t at, size_t& size) const;

  // A trie: (node << 8 | byte) → node.  The first byte is looked up in a table, since most text
  // starts no token.
  std::unordered_map<uint64_t, uint32_t> edges_;
  std::array<uint32_t, 256> first_{};
  std::vector<const AddedToken*> at_node_;
  std::vector<const AddedToken*> tokens_;
};

}  // namespace mortise::tokenizer::byte_bpe
