// Hand-written equivalents of the regular expressions of GPT-2, LLaMA 3 and Qwen 2 (reference
// texts: pattern_regex).
//
// A regex engine tries the alternatives in order at each position; because the classes letter,
// number, space and other are disjoint, the first character (and the one after it) decides which
// alternative wins, so one pass without backtracking is enough:
//   GPT-2:  contraction | ␣?letters | ␣?numbers | ␣?others | spaces(?!\S) | spaces
//   LLaMA3: contraction (any case) | [^\r\n letter number]?letters | 1-3 numbers | ␣?others
//   newlines* | spaces ending in newlines |
//           spaces(?!\S) | spaces          Qwen2: the same with one number
// `spaces(?!\S)` before a word gives back its last space.  Tested piece for piece against PCRE2.
#include "splitter.hpp"

#include "unicode.hpp"

namespace mortise::tokenizer::byte_bpe {

namespace {

constexpr std::string_view kGpt2Regex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr int kClasses = kLetter | kNumber | kSpace;

struct Scanner {
  const uint8_t* classes;
  const char* end;

  // Letter, number, space or 0 (anything else) of the character at p; `next` is the place after it.
  int class_at(const char* p, const char*& next) const {
    const auto byte = static_cast<unsigned char>(*p);
    if (byte < 0x80) {
      next = p + 1;
      return classes[byte] & kClasses;
    }
    const CodePoint c = decode_utf8(p);
    next = p + c.size;
    return classes[c.value] & kClasses;
  }

  bool is_class(const char* p, int wanted) const {
    const char* next = nullptr;
    return p < end && class_at(p, next) == wanted;
  }

  const char* skip(const char* p, int wanted) const {
    for (const char* next = nullptr; p < end && class_at(p, next) == wanted;) p = next;
    return p;
  }

  const char* skip_at_most(const char* p, int wanted, int limit) const {
    const char* next = nullptr;
    for (int i = 0; i < limit && p < end && class_at(p, next) == wanted; ++i) p = next;
    return p;
  }

  const char* skip_newlines(const char* p) const {
    while (p < end && (*p == '\r' || *p == '\n')) ++p;
    return p;
  }
};

// The end of 's 't 're 've 'm 'll 'd at the apostrophe p, or null.
const char* contraction(const char* p, const char* end, bool any_case) {
  if (end - p < 2) return nullptr;
  const char fold = any_case ? 0x20 : 0;
  const auto lower = [fold](char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c | fold : c);
  };
  const char first = lower(p[1]);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return p + 2;
  if (end - p < 3) return nullptr;
  const char second = lower(p[2]);
  if ((first == 'r' || first == 'v') && second == 'e') return p + 3;
  if (first == 'l' && second == 'l') return p + 3;
  // U+017F, the long s, is an s when case is ignored
  if (any_case && p[1] == '\xc5' && p[2] == '\xbf') return p + 3;
  return nullptr;
}

// `\s+(?!\S)|\s+` over the spaces [p, spaces_end).
const char* spaces_word(const char* p, const char* spaces_end, const char* end) {
  if (spaces_end == end) return spaces_end;
  const char* last = spaces_end - decode_utf8_before(spaces_end).size;
  return last == p ? spaces_end : last;
}

const char* next_gpt2(const Scanner& scan, const char* p) {
  if (*p == '\'')
    if (const char* found = contraction(p, scan.end, /*any_case=*/false)) return found;
  const char* next = nullptr;
  int kind = scan.class_at(p, next);
  if (*p == ' ' && next < scan.end) {
    const char* after = nullptr;
    const int following = scan.class_at(next, after);
    if (following != kSpace) return scan.skip(after, following);
  }
  if (kind != kSpace) return scan.skip(next, kind);
  return spaces_word(p, scan.skip(next, kSpace), scan.end);
}

const char* next_llama3(const Scanner& scan, const char* p, int max_numbers) {
  if (*p == '\'')
    if (const char* found = contraction(p, scan.end, /*any_case=*/true)) return found;
  const char* next = nullptr;
  const int kind = scan.class_at(p, next);
  if (kind == kLetter) return scan.skip(next, kLetter);
  if (kind == kNumber) return scan.skip_at_most(next, kNumber, max_numbers - 1);
  if (*p != '\r' && *p != '\n' && scan.is_class(next, kLetter)) return scan.skip(next, kLetter);
  if (kind == 0) return scan.skip_newlines(scan.skip(next, 0));
  if (*p == ' ' && scan.is_class(next, 0)) return scan.skip_newlines(scan.skip(next, 0));
  const char* spaces_end = scan.skip(next, kSpace);
  for (const char* q = spaces_end; q > p; --q)
    if (q[-1] == '\r' || q[-1] == '\n') return q;
  return spaces_word(p, spaces_end, scan.end);
}

}  // namespace

std::string_view pattern_regex(Pattern pattern) {
  switch (pattern) {
    case Pattern::Gpt2:
      return kGpt2Regex;
    case Pattern::Llama3:
      return kLlama3Regex;
    case Pattern::Qwen2:
      return kQwen2Regex;
  }
  return {};
}

std::optional<Pattern> known_pattern(std::string_view regex) {
  for (Pattern pattern : {Pattern::Gpt2, Pattern::Llama3, Pattern::Qwen2})
    if (pattern_regex(pattern) == regex) return pattern;
  return std::nullopt;
}

std::optional<Pattern> pattern_named(std::string_view name) {
  if (name == "gpt2") return Pattern::Gpt2;
  if (name == "llama3") return Pattern::Llama3;
  if (name == "qwen2") return Pattern::Qwen2;
  return std::nullopt;
}

const char* split_words(Pattern pattern, const char* begin, const char* end, WordEnds& out) {
  const Scanner scan{code_point_classes(), end};
  out.count = 0;
  const int limit = static_cast<int>(out.ends.size());
  const char* p = begin;
  if (pattern == Pattern::Gpt2) {
    while (p < end && out.count < limit)
      out.ends[static_cast<size_t>(out.count++)] = p = next_gpt2(scan, p);
  } else {
    const int max_numbers = pattern == Pattern::Llama3 ? 3 : 1;
    while (p < end && out.count < limit)
      out.ends[static_cast<size_t>(out.count++)] = p = next_llama3(scan, p, max_numbers);
  }
  return p;
}

}  // namespace mortise::tokenizer::byte_bpe
