// Python's text rules on UTF-8; Unicode data comes from ICU.
#include "mortise/pytext.hpp"

#include <array>

#include <unicode/ucasemap.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "mortise/error.hpp"

namespace mortise::pytext {

namespace {

constexpr char32_t kReplacement = 0xFFFD;

// str.splitlines() cuts at these; \r\n counts as one.
bool is_line_break(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

}  // namespace

char32_t next_code_point(std::string_view text, size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) {
    ++at;
    return lead;
  }
  auto offset = static_cast<int32_t>(0);
  const auto rest = text.substr(at, 4);
  UChar32 c = 0;
  U8_NEXT(
      reinterpret_cast<const uint8_t*>(rest.data()), offset, static_cast<int32_t>(rest.size()), c);
  at += c < 0 ? 1 : static_cast<size_t>(offset);
  return c < 0 ? kReplacement : static_cast<char32_t>(c);
}

void append_utf8(std::string& text, char32_t code_point) {
  std::array<uint8_t, 4> bytes{};
  int32_t size = 0;
  UBool bad = false;
  U8_APPEND(bytes.data(), size, 4, static_cast<UChar32>(code_point), bad);
  if (bad) return append_utf8(text, kReplacement);
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(size));
}

bool is_valid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (next_code_point(text, at) == kReplacement && at - begin == 1) return false;
  }
  return true;
}

std::string repair_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    auto offset = static_cast<int32_t>(0);
    const auto rest = text.substr(at, 4);
    UChar32 c = 0;
    U8_NEXT(reinterpret_cast<const uint8_t*>(rest.data()),
            offset,
            static_cast<int32_t>(rest.size()),
            c);
    at += static_cast<size_t>(offset);  // ICU stops after the maximal invalid part, as Python does
    if (c < 0)
      append_utf8(out, kReplacement);
    else
      out.append(text.substr(begin, at - begin));
  }
  return out;
}

int64_t length(std::string_view text) {
  int64_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) next_code_point(text, at);
  return count;
}

bool is_space(char32_t c) {
  if (c < 0x80) return c == 0x20 || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t here = at;
    if (!is_space(next_code_point(text, at))) continue;
    if (here > begin) words.push_back(text.substr(begin, here - begin));
    begin = at;
  }
  if (begin < text.size()) words.push_back(text.substr(begin));
  return words;
}

std::vector<std::string_view> splitlines(std::string_view text) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t here = at;
    if (!is_line_break(next_code_point(text, at))) continue;
    lines.push_back(text.substr(begin, here - begin));
    if (text[here] == '\r' && at < text.size() && text[at] == '\n') ++at;
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::string_view strip(std::string_view text) {
  size_t begin = 0;
  for (size_t at = 0; at < text.size(); begin = at)
    if (!is_space(next_code_point(text, at))) break;
  return rstrip(text.substr(begin));
}

std::string_view rstrip(std::string_view text) {
  size_t end = 0;
  for (size_t at = 0; at < text.size();)
    if (!is_space(next_code_point(text, at))) end = at;
  return text.substr(0, end);
}

std::string lower(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  static UCaseMap* const map = ucasemap_open("", 0, &status);  // immutable once open: safe to share
  std::string out(text.size() + text.size() / 2 + 8, '\0');
  const auto convert = [&] {
    status = U_ZERO_ERROR;
    return ucasemap_utf8ToLower(map,
                                out.data(),
                                static_cast<int32_t>(out.size()),
                                text.data(),
                                static_cast<int32_t>(text.size()),
                                &status);
  };
  int32_t size = convert();
  if (status == U_BUFFER_OVERFLOW_ERROR) {
    out.resize(static_cast<size_t>(size));
    size = convert();
  }
  MORTISE_ASSERT(U_SUCCESS(status), "ICU cannot lower-case: {}", u_errorName(status));
  out.resize(static_cast<size_t>(size));
  return out;
}

std::string_view category(char32_t code_point) {
  static constexpr std::array<std::string_view, U_CHAR_CATEGORY_COUNT> kNames = {
      "Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Me", "Mc", "Nd", "Nl", "No", "Zs", "Zl", "Zp",
      "Cc", "Cf", "Co", "Cs", "Pd", "Ps", "Pe", "Pc", "Po", "Sm", "Sc", "Sk", "So", "Pi", "Pf"};
  return kNames[static_cast<size_t>(u_charType(static_cast<UChar32>(code_point)))];
}

}  // namespace mortise::pytext
