// Three ways to cut a text into lower-case tokens:
//   rouge_score   rouge-score 0.1.2 (tokenize.py): lower(), then each run of [a-z0-9] is a token
//   unicode_word  the words of UAX #29 as ICU's root locale finds them, with ICU's own
//                 dictionaries for Chinese, Japanese, Thai, …
//   zh_char       runs of [a-z0-9] as above, and each other letter or digit on its own
// Only two characters outside ASCII become ASCII when lower-cased, İ (U+0130 → i + U+0307) and the
// Kelvin sign (U+212A → k), so rouge_score reads the text once, as bytes.
#include "rouge_tokenizers.hpp"

#include <algorithm>
#include <memory>

#include <unicode/ubrk.h>
#include <unicode/utext.h>

#include "mortise/error.hpp"
#include "mortise/pytext.hpp"

#include "porter.hpp"

namespace mortise::metric::rouge {

namespace {

constexpr size_t kLongestUnstemmed = 3;

bool is_word_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// Gathers one text's tokens; a token is open while it has bytes after the last end.
class Builder {
 public:
  Builder(bool stem, size_t expected_bytes) : stem_(stem) { tokens_.text.reserve(expected_bytes); }

  void add(char c) { tokens_.text += c; }

  void add(std::string_view bytes) { tokens_.text += bytes; }

  void end() {
    const size_t begin = tokens_.ends.empty() ? 0 : tokens_.ends.back();
    if (tokens_.text.size() == begin) return;
    if (stem_ && tokens_.text.size() - begin > kLongestUnstemmed &&
        std::all_of(
            tokens_.text.begin() + static_cast<ptrdiff_t>(begin), tokens_.text.end(), is_word_byte))
      tokens_.text.replace(
          begin, std::string::npos, porter_stem(std::string_view(tokens_.text).substr(begin)));
    tokens_.ends.push_back(static_cast<uint32_t>(tokens_.text.size()));
  }

  Tokens done() {
    end();
    return std::move(tokens_);
  }

 private:
  bool stem_;
  Tokens tokens_;
};

Tokens ascii_words(bool stem, std::string_view text) {
  Builder builder(stem, text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_word_byte(c)) {
      builder.add(c);
    } else if (c >= 'A' && c <= 'Z') {
      builder.add(static_cast<char>(c + ('a' - 'A')));
    } else if (text.substr(i, 2) ==
               "\xc4\xb0") {  // İ: an i, then a combining dot that ends the token
      builder.add('i');
      builder.end();
      i += 1;
    } else if (text.substr(i, 3) == "\xe2\x84\xaa") {  // Kelvin sign
      builder.add('k');
      i += 2;
    } else {
      builder.end();
    }
  }
  return builder.done();
}

Tokens characters(bool stem, std::string_view text) {
  const std::string lower = pytext::lower(text);
  Builder builder(stem, lower.size());
  for (size_t at = 0; at < lower.size();) {
    const size_t begin = at;
    const char32_t c = pytext::next_code_point(lower, at);
    if (c < 0x80 && is_word_byte(static_cast<char>(c))) {
      builder.add(static_cast<char>(c));
      continue;
    }
    builder.end();
    const char group = pytext::category(c).front();
    if (c < 0x80 || (group != 'L' && group != 'N')) continue;
    builder.add(std::string_view(lower).substr(begin, at - begin));
    builder.end();
  }
  return builder.done();
}

struct CloseBreaks {
  void operator()(UBreakIterator* breaks) const { ubrk_close(breaks); }
};

struct CloseText {
  void operator()(UText* text) const { utext_close(text); }
};

UBreakIterator* word_breaks() {
  // Opening one costs a millisecond, and one iterator serves one thread.
  thread_local const std::unique_ptr<UBreakIterator, CloseBreaks> breaks = [] {
    UErrorCode status = U_ZERO_ERROR;
    std::unique_ptr<UBreakIterator, CloseBreaks> opened(
        ubrk_open(UBRK_WORD, "", nullptr, 0, &status));
    MORTISE_CHECK(U_SUCCESS(status), "ICU has no word-break rules: {}", u_errorName(status));
    return opened;
  }();
  return breaks.get();
}

Tokens unicode_words(bool stem, std::string_view text) {
  const std::string lower = pytext::lower(text);
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<UText, CloseText> view(
      utext_openUTF8(nullptr, lower.data(), static_cast<int64_t>(lower.size()), &status));
  UBreakIterator* breaks = word_breaks();
  ubrk_setUText(breaks, view.get(), &status);
  MORTISE_CHECK(U_SUCCESS(status),
                "ICU cannot read a text of {} bytes: {}",
                lower.size(),
                u_errorName(status));
  Builder builder(stem, lower.size());
  int32_t begin = ubrk_first(breaks);
  for (int32_t end = ubrk_next(breaks); end != UBRK_DONE; begin = end, end = ubrk_next(breaks)) {
    if (ubrk_getRuleStatus(breaks) < UBRK_WORD_NUMBER) continue;  // space or punctuation
    builder.add(std::string_view(lower).substr(static_cast<size_t>(begin),
                                               static_cast<size_t>(end - begin)));
    builder.end();
  }
  return builder.done();
}

}  // namespace

Tokenizer tokenizer_named(std::string_view name) {
  if (name == "rouge_score") return Tokenizer::RougeScore;
  if (name == "unicode_word") return Tokenizer::UnicodeWord;
  MORTISE_CHECK(name == "zh_char",
                "unknown ROUGE tokenizer: expected rouge_score, unicode_word or zh_char, got {}",
                name);
  return Tokenizer::ZhChar;
}

Tokens tokenize(Tokenizer tokenizer, bool stem, std::string_view text) {
  switch (tokenizer) {
    case Tokenizer::RougeScore:
      return ascii_words(stem, text);
    case Tokenizer::UnicodeWord:
      return unicode_words(stem, text);
    case Tokenizer::ZhChar:
      break;
  }
  return characters(stem, text);
}

}  // namespace mortise::metric::rouge
