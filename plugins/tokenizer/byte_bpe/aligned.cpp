// Repair of invalid UTF-8, NFC and the prefix space, each with alignment to the original text.
//
// NFC (UAX #15) in two steps, decompose and recompose, with the bookkeeping of the library's
// unicode_normalization_alignments: a character carries a change: 0 it replaces a character of the
// source, 1 it was inserted, -n it replaces one and swallows the n that follow.  A composed
// character therefore points at its base only.  ICU gives decompositions, compositions and
// combining classes; the library's tables are older, so marks that it does not know (kUnordered)
// and U+11938 are left alone here too.
#include "aligned.hpp"

#include <algorithm>

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include "mortise/error.hpp"
#include "mortise/pytext.hpp"

#include "unicode.hpp"

namespace mortise::tokenizer::byte_bpe {

namespace {

constexpr char32_t kUnknownComposite = 0x11938;

struct Unit {
  char32_t value;
  int change;
  int combining;
};

const icu::Normalizer2& nfc() {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* instance = icu::Normalizer2::getNFCInstance(status);
  if (instance == nullptr) throw Error(Code::Internal, "ICU has no NFC data", "install libicu72");
  return *instance;
}

int combining_class(char32_t c) {
  return (code_point_classes()[c] & kUnordered) != 0 ? 0
                                                     : u_getCombiningClass(static_cast<UChar32>(c));
}

// Canonical decomposition in canonical order.
std::vector<Unit> decompose(std::string_view text) {
  std::vector<Unit> units;
  size_t run = 0;  // start of the marks that are not in order yet
  const auto push = [&](char32_t c, int change) {
    const int combining = combining_class(c);
    if (combining == 0) {
      std::stable_sort(units.begin() + static_cast<std::ptrdiff_t>(run),
                       units.end(),
                       [](const Unit& a, const Unit& b) { return a.combining < b.combining; });
      run = units.size() + 1;
    }
    units.push_back({c, change, combining});
  };
  icu::UnicodeString parts;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text.data() + at);
    at += static_cast<size_t>(c.size);
    if (c.value < 0xc0 || c.value == kUnknownComposite ||
        !nfc().getDecomposition(static_cast<UChar32>(c.value), parts)) {
      push(c.value, 0);
      continue;
    }
    for (int32_t i = 0; i < parts.length(); i = parts.moveIndex32(i, 1))
      push(static_cast<char32_t>(parts.char32At(i)), i > 0 ? 1 : 0);
  }
  run = std::min(run, units.size());
  std::stable_sort(units.begin() + static_cast<std::ptrdiff_t>(run),
                   units.end(),
                   [](const Unit& a, const Unit& b) { return a.combining < b.combining; });
  return units;
}

std::vector<Unit> recompose(const std::vector<Unit>& units) {
  std::vector<Unit> out;
  std::ptrdiff_t base = -1;  // the character that marks may still join
  int last_combining = -1;   // of a mark that stayed behind the base
  for (const Unit& unit : units) {
    if (base >= 0 && last_combining < unit.combining) {
      Unit& target = out[static_cast<size_t>(base)];
      const UChar32 composed =
          nfc().composePair(static_cast<UChar32>(target.value), static_cast<UChar32>(unit.value));
      if (composed >= 0 && composed != static_cast<UChar32>(kUnknownComposite)) {
        target = {static_cast<char32_t>(composed), target.change + unit.change - 1, 0};
        continue;
      }
    }
    if (unit.combining == 0) {
      base = static_cast<std::ptrdiff_t>(out.size());
      last_combining = -1;
    } else if (base >= 0) {
      last_combining = unit.combining;
    }
    out.push_back(unit);
  }
  return out;
}

}  // namespace

Span View::original(size_t begin, size_t end) const {
  if (spans != nullptr) return {spans[begin].begin, spans[end - 1].end};
  while (begin > 0 && is_continuation(text[begin])) --begin;
  while (end < text.size() && is_continuation(text[end])) ++end;
  return {base + static_cast<int64_t>(begin), base + static_cast<int64_t>(end)};
}

Aligned repair(std::string_view text) {
  Aligned out;
  out.text.reserve(text.size() + 16);
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at, 4);
    int32_t size = 0;
    UChar32 c = 0;
    U8_NEXT(
        reinterpret_cast<const uint8_t*>(rest.data()), size, static_cast<int32_t>(rest.size()), c);
    const Span span{static_cast<int64_t>(at), static_cast<int64_t>(at) + size};
    at += static_cast<size_t>(size);  // ICU stops after the maximal invalid part, as Python does
    pytext::append_utf8(out.text, c < 0 ? U'\ufffd' : static_cast<char32_t>(c));
    out.spans.resize(out.text.size(), span);
  }
  return out;
}

bool is_nfc(std::string_view text) {
  // Below U+0300 every character is its own NFC; 0xcc is the lead byte of U+0300
  if (std::none_of(
          text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0xcc; }))
    return true;
  UErrorCode status = U_ZERO_ERROR;
  const bool same = nfc().isNormalizedUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), status);
  return U_SUCCESS(status) && same;
}

Aligned to_nfc(const View& view) {
  std::vector<Span> source;  // of each character
  for (size_t at = 0; at < view.text.size();) {
    const CodePoint c = decode_utf8(view.text.data() + at);
    source.push_back(view.original(at, at + static_cast<size_t>(c.size)));
    at += static_cast<size_t>(c.size);
  }
  Aligned out;
  size_t consumed = 0;
  for (const Unit& unit : recompose(decompose(view.text))) {
    const bool inserted = unit.change > 0;
    Span span;
    if (inserted)
      span = consumed > 0 ? source[consumed - 1] : Span{};
    else
      span = source[std::min(consumed, source.size() - 1)];
    if (!inserted) consumed += static_cast<size_t>(1 - unit.change);
    pytext::append_utf8(out.text, unit.value);
    out.spans.resize(out.text.size(), span);
  }
  return out;
}

Aligned with_prefix_space(const View& view, bool with_spans) {
  Aligned out;
  out.text.reserve(view.text.size() + 1);
  out.text = " ";
  out.text += view.text;
  if (!with_spans) return out;
  out.spans.reserve(out.text.size());
  out.spans.push_back(view.original(0, static_cast<size_t>(decode_utf8(view.text.data()).size)));
  for (size_t at = 0; at < view.text.size();) {
    const auto size = static_cast<size_t>(decode_utf8(view.text.data() + at).size);
    out.spans.resize(out.spans.size() + size, view.original(at, at + size));
    at += size;
  }
  return out;
}

}  // namespace mortise::tokenizer::byte_bpe
