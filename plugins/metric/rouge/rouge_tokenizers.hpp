// The tokenizers of ROUGE.  rouge_score knows ASCII words only; the other two serve languages that
// it scores as zero.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::metric::rouge {

enum class Tokenizer { RougeScore, UnicodeWord, ZhChar };

/// Finds a tokenizer by the name that recipe and signature use.  Throws: Error on another name.
Tokenizer tokenizer_named(std::string_view name);

/// Tokens of one text, kept as pieces of one string.
struct Tokens {
  std::string text;
  std::vector<uint32_t> ends;  // token i = text[ends[i-1], ends[i])

  size_t size() const { return ends.size(); }

  std::string_view operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(text).substr(begin, ends[i] - begin);
  }
};

/// Splits a text into lower-case tokens; with `stem`, ASCII tokens of more than three letters are
/// stemmed.   Thread: [any-thread].
Tokens tokenize(Tokenizer tokenizer, bool stem, std::string_view text);

}  // namespace mortise::metric::rouge
