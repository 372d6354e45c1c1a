// Code-point classes by table, UTF-8 steps over valid text, and the byte-level alphabet of GPT-2.
//
// The classes are those of the `tokenizers` library (make_unicode_classes.py), not those of ICU or
// PCRE2: their Unicode versions differ by thousands of letters.  The alphabet gives each byte a
// printable character: 0x21-7E, A1-AC, AE-FF stand for themselves, the other 68 bytes are U+0100…
// in order (Radford et al. 2019, encoder.py: bytes_to_unicode).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mortise::tokenizer::byte_bpe {

enum CodePointClass : uint8_t { kLetter = 1, kNumber = 2, kSpace = 4, kWord = 8, kUnordered = 16 };

extern const uint32_t kClassRanges[];
extern const size_t kNumClassRanges;

/// The class bits of all 0x110000 code points, one byte each.   Thread: [any-thread].
const uint8_t* code_point_classes();

/// A code point and the bytes it takes.
struct CodePoint {
  char32_t value;
  int size;
};

/// Decodes the code point at `p`.   Requires: valid UTF-8 from p on.
inline CodePoint decode_utf8(const char* p) {
  const auto at = [p](int i) { return static_cast<char32_t>(static_cast<unsigned char>(p[i])); };
  const char32_t lead = at(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xe0) return {(lead & 0x1f) << 6 | (at(1) & 0x3f), 2};
  if (lead < 0xf0) return {(lead & 0x0f) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f), 3};
  return {(lead & 0x07) << 18 | (at(1) & 0x3f) << 12 | (at(2) & 0x3f) << 6 | (at(3) & 0x3f), 4};
}

inline bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// Decodes the code point that ends before `p`.   Requires: valid UTF-8 before p, not at the
/// beginning.
inline CodePoint decode_utf8_before(const char* p) {
  do --p;
  while (is_continuation(*p));
  return decode_utf8(p);
}

/// The character of the byte-level alphabet that stands for a byte.
char32_t char_of_byte(uint8_t byte);
/// The byte that a character stands for, or -1.
int byte_of_char(char32_t character);
/// Bytes → text in the alphabet.
std::string to_alphabet(std::string_view bytes);
/// Text in the alphabet → bytes.  Returns false, leaving `bytes` unspecified, when a character is
/// not in the alphabet.
bool from_alphabet(std::string_view text, std::string& bytes);

}  // namespace mortise::tokenizer::byte_bpe
