// Learns byte-level BPE merges from word counts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bpe_model.hpp"
#include "splitter.hpp"

namespace mortise::tokenizer::byte_bpe {

/// Counts the words of texts.   Thread: [one thread at a time].
class WordCounter {
 public:
  explicit WordCounter(Pattern pattern) : pattern_(pattern) {}

  void add(std::string_view text);

  struct Word {
    std::string bytes;
    int64_t count = 0;
  };

  /// In order of first appearance.
  const std::vector<Word>& words() const { return words_; }

 private:
  void add_word(std::string_view word);

  Pattern pattern_;
  std::vector<Word> words_;
  std::vector<uint32_t> slots_;   // hash table of indices into words_, plus one; 0: empty
  std::vector<uint64_t> hashes_;  // of each word
};

struct TrainOptions {
  int64_t vocab_size = 0;  // special tokens and the 256 bytes included
  int64_t min_frequency = 0;
  std::vector<std::string> special_tokens;  // get the first ids
};

/// Learns a vocabulary.  Deterministic: depends on the counts only.   Thread: [any-thread].
Vocabulary train_bpe(const std::vector<WordCounter::Word>& words, const TrainOptions& options);

}  // namespace mortise::tokenizer::byte_bpe
