// A trie walked from every position: leftmost-longest, then the word and strip rules of the
// `tokenizers` library (added_vocabulary.rs): a match that fails single_word, or is special when
// special tokens are text, still uses up its characters; a strip widens the part but not the
// search.
#include "added_tokens.hpp"

#include <algorithm>

#include "unicode.hpp"

namespace mortise::tokenizer::byte_bpe {

namespace {

bool has_class(char32_t c, CodePointClass wanted) {
  return (code_point_classes()[c] & wanted) != 0;
}

bool is_single_word(std::string_view text, size_t begin, size_t end) {
  const bool left = begin == 0 || !has_class(decode_utf8_before(text.data() + begin).value, kWord);
  const bool right = end == text.size() || !has_class(decode_utf8(text.data() + end).value, kWord);
  return left && right;
}

size_t strip_left(std::string_view text, size_t begin) {
  while (begin > 0) {
    const CodePoint c = decode_utf8_before(text.data() + begin);
    if (!has_class(c.value, kSpace)) break;
    begin -= static_cast<size_t>(c.size);
  }
  return begin;
}

size_t strip_right(std::string_view text, size_t end) {
  while (end < text.size()) {
    const CodePoint c = decode_utf8(text.data() + end);
    if (!has_class(c.value, kSpace)) break;
    end += static_cast<size_t>(c.size);
  }
  return end;
}

}  // namespace

AddedTokenFinder::AddedTokenFinder() : at_node_(1) {}

void AddedTokenFinder::add(std::string_view content, const AddedToken& token) {
  if (content.empty()) return;
  tokens_.push_back(&token);
  uint32_t node = 0;
  for (size_t i = 0; i < content.size(); ++i) {
    const auto byte = static_cast<uint8_t>(content[i]);
    uint32_t& next = i == 0 ? first_[byte] : edges_[uint64_t{node} << 8 | byte];
    if (next == 0) {
      next = static_cast<uint32_t>(at_node_.size());
      at_node_.push_back(nullptr);
    }
    node = next;
  }
  if (at_node_[node] == nullptr) at_node_[node] = &token;
}

const AddedToken* AddedTokenFinder::longest_at(std::string_view text,
                                               size_t at,
                                               size_t& size) const {
  uint32_t node = first_[static_cast<uint8_t>(text[at])];
  const AddedToken* found = nullptr;
  for (size_t i = at + 1; node != 0; ++i) {
    if (at_node_[node] != nullptr) {
      found = at_node_[node];
      size = i - at;
    }
    if (i == text.size()) break;
    const auto edge = edges_.find(uint64_t{node} << 8 | static_cast<uint8_t>(text[i]));
    node = edge == edges_.end() ? 0 : edge->second;
  }
  return found;
}

std::vector<AddedTokenFinder::Part> AddedTokenFinder::find(std::string_view text,
                                                           bool parse_special) const {
  std::vector<Part> parts;
  size_t covered = 0;
  for (size_t at = 0; at < text.size();) {
    if (first_[static_cast<uint8_t>(text[at])] == 0) {
      ++at;
      continue;
    }
    size_t size = 0;
    const AddedToken* token = longest_at(text, at, size);
    if (token == nullptr) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + size;
    at = end;
    if (token->special && !parse_special) continue;
    if (token->single_word && !is_single_word(text, begin, end)) continue;
    if (token->lstrip) begin = std::max(strip_left(text, begin), covered);
    if (token->rstrip) end = strip_right(text, end);
    if (covered < begin) parts.push_back({covered, begin, nullptr});
    parts.push_back({begin, end, token});
    covered = end;
  }
  if (covered < text.size()) parts.push_back({covered, text.size(), nullptr});
  return parts;
}

}  // namespace mortise::tokenizer::byte_bpe
