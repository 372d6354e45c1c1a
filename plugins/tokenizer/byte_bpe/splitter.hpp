// Cuts text into words: hand-written splitters for the known patterns.  The regex path is
// regex_splitter.hpp.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace mortise::tokenizer::byte_bpe {

/// The patterns that have a hand-written splitter.
enum class Pattern { Gpt2, Llama3, Qwen2 };

/// The regular expression of a pattern, as tokenizer.json spells it.
std::string_view pattern_regex(Pattern pattern);
/// The pattern with exactly this regular expression.
std::optional<Pattern> known_pattern(std::string_view regex);
/// The pattern of a configuration value: "gpt2", "llama3", "qwen2".
std::optional<Pattern> pattern_named(std::string_view name);

/// A batch of word ends: small enough to stay in the first-level cache.
struct WordEnds {
  std::array<const char*, 512> ends;
  int count = 0;
};

/// Cuts words from `begin` on until the batch is full or `end` is reached; returns where it
/// stopped. Every byte belongs to one word.   Requires: valid UTF-8, begin < end.   Thread:
/// [any-thread].
const char* split_words(Pattern pattern, const char* begin, const char* end, WordEnds& out);

}  // namespace mortise::tokenizer::byte_bpe
