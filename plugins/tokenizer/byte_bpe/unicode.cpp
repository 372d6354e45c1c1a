// The class table, expanded from the generated ranges on first use, and the byte-level alphabet.
#include "unicode.hpp"

#include <array>
#include <vector>

#include "mortise/pytext.hpp"

namespace mortise::tokenizer::byte_bpe {

namespace {

constexpr char32_t kNumCodePoints = 0x110000;

std::vector<uint8_t> expand_classes() {
  std::vector<uint8_t> classes(kNumCodePoints);
  for (size_t i = 0; i < kNumClassRanges; ++i) {
    const char32_t end = i + 1 < kNumClassRanges ? kClassRanges[i + 1] >> 8 : kNumCodePoints;
    for (char32_t c = kClassRanges[i] >> 8; c < end; ++c) classes[c] = kClassRanges[i] & 0xff;
  }
  return classes;
}

struct Alphabet {
  std::array<char32_t, 256> chars{};
  std::array<int16_t, 0x144> bytes{};

  Alphabet() {
    bytes.fill(-1);
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
      const char32_t c = printable ? static_cast<char32_t>(b) : next++;
      chars[static_cast<size_t>(b)] = c;
      bytes[c] = static_cast<int16_t>(b);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

const uint8_t* code_point_classes() {
  static const std::vector<uint8_t> classes = expand_classes();
  return classes.data();
}

char32_t char_of_byte(uint8_t byte) { return alphabet().chars[byte]; }

int byte_of_char(char32_t character) {
  return character < alphabet().bytes.size() ? alphabet().bytes[character] : -1;
}

std::string to_alphabet(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (char byte : bytes) pytext::append_utf8(text, char_of_byte(static_cast<uint8_t>(byte)));
  return text;
}

bool from_alphabet(std::string_view text, std::string& bytes) {
  bytes.clear();
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text.data() + at);
    const int byte = byte_of_char(c.value);
    if (byte < 0) return false;
    bytes.push_back(static_cast<char>(byte));
    at += static_cast<size_t>(c.size);
  }
  return true;
}

}  // namespace mortise::tokenizer::byte_bpe
