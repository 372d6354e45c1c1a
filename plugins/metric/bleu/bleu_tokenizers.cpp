// The tokenizers 13a, zh, char, intl and none of sacrebleu 2.6.0 (tokenizers/tokenizer_*.py), as
// loops instead of regexes.
//
// 13a and zh end with the same four substitutions, which upstream runs one after the other over the
// whole text:
//   1  each of  {-~ [-` space-& (-+ :-@ /           → one space on each side
//   2  (not 0-9)(. or ,)                            → "\1 \2 "
//   3  (. or ,)(not 0-9)                            → " \1 \2"
//   4  (0-9)(-)                                     → "\1 \2 "
// A match consumes both characters, so that ".,." is split at every other mark: the passes cannot
// be merged.  They work on bytes: each second character of 2 and 4, and each first of 3, is ASCII,
// and a part of a longer character is "not 0-9" as the whole one is.
//
// zh pads "Chinese" characters with spaces first.  Upstream writes '\u20000' for Extension B, which
// Python reads as U+2000 and a zero; compared as strings, its two ranges become U+2001–2A6D and
// U+2F81–2FA1.  Everyone's scores have that, so ours do.
#include "bleu_tokenizers.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "mortise/error.hpp"
#include "mortise/pytext.hpp"

namespace mortise::metric::bleu {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_period_or_comma(char c) { return c == '.' || c == ','; }

bool is_western_mark(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
         (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

std::string pad_marks(std::string_view text) {
  std::string out;
  out.reserve(2 * text.size() + 16);
  for (const char c : text) {
    if (is_western_mark(c))
      out.append({' ', c, ' '});
    else
      out += c;
  }
  return out;
}

// Rewrites each non-overlapping pair of bytes that `matches` accepts with `rewrite`.
template <class Matches, class Rewrite>
std::string replace_pairs(std::string_view text, Matches matches, Rewrite rewrite) {
  std::string out;
  out.reserve(text.size() + text.size() / 2 + 16);
  size_t i = 0;
  while (i < text.size()) {
    if (i + 1 < text.size() && matches(text[i], text[i + 1])) {
      rewrite(out, text[i], text[i + 1]);
      i += 2;
    } else {
      out += text[i++];
    }
  }
  return out;
}

std::string western(std::string_view text) {
  const auto space_around_second = [](std::string& out, char a, char b) {
    out.append({a, ' ', b, ' '});
  };
  const auto space_around_first = [](std::string& out, char a, char b) {
    out.append({' ', a, ' ', b});
  };
  std::string line = pad_marks(text);
  line = replace_pairs(
      line,
      [](char a, char b) { return is_period_or_comma(b) && !is_digit(a); },
      space_around_second);
  line = replace_pairs(
      line,
      [](char a, char b) { return is_period_or_comma(a) && !is_digit(b); },
      space_around_first);
  return replace_pairs(
      line, [](char a, char b) { return b == '-' && is_digit(a); }, space_around_second);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  size_t at = text.find(from);
  if (at == std::string::npos) return;
  std::string out;
  size_t done = 0;
  for (; at != std::string::npos; at = text.find(from, done)) {
    out.append(text, done, at - done).append(to);
    done = at + from.size();
  }
  text = out.append(text, done);
}

std::string separated_13a(std::string_view text) {
  std::string line(text);
  replace_all(line, "<skipped>", "");
  replace_all(line, "-\n", "");
  std::replace(line.begin(), line.end(), '\n', ' ');
  if (line.find('&') != std::string::npos) {
    replace_all(line, "&quot;", "\"");
    replace_all(line, "&amp;", "&");
    replace_all(line, "&lt;", "<");
    replace_all(line, "&gt;", ">");
  }
  return western(" " + line + " ");
}

bool is_chinese(char32_t c) {
  static constexpr std::array<std::pair<char32_t, char32_t>, 15> kRanges = {{
      {0x2001, 0x2A6D},
      {0x2E80, 0x2FDF},
      {0x2FF0, 0x303F},
      {0x3100, 0x312F},
      {0x31A0, 0x31BF},
      {0x31C0, 0x31EF},
      {0x3200, 0x33FF},
      {0x3400, 0x4DB5},
      {0x4E00, 0x9FBB},
      {0xF900, 0xFA2D},
      {0xFA30, 0xFA6A},
      {0xFA70, 0xFAD9},
      {0xFE10, 0xFE1F},
      {0xFE30, 0xFE4F},
      {0xFF00, 0xFFEF},
  }};
  return c >= 0x2001 && std::any_of(kRanges.begin(), kRanges.end(), [c](const auto& r) {
           return c >= r.first && c <= r.second;
         });
}

std::string separated_zh(std::string_view text) {
  text = pytext::strip(text);
  std::string line;
  line.reserve(2 * text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const bool pad = is_chinese(pytext::next_code_point(text, at));
    if (pad) line += ' ';
    line.append(text.substr(begin, at - begin));
    if (pad) line += ' ';
  }
  return western(line);
}

std::string separated_char(std::string_view text) {
  std::string line;
  line.reserve(2 * text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    pytext::next_code_point(text, at);
    if (begin > 0) line += ' ';
    line.append(text.substr(begin, at - begin));
  }
  return line;
}

// A character of `intl`: its bytes, and N, P, S or another first letter of its Unicode category.
struct Piece {
  std::string_view bytes;
  char group = 'Z';
};

std::vector<Piece> pieces_of(std::string_view text) {
  std::vector<Piece> pieces;
  pieces.reserve(text.size() + text.size() / 2);
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char group = pytext::category(pytext::next_code_point(text, at)).front();
    pieces.push_back({text.substr(begin, at - begin), group});
  }
  return pieces;
}

// mteval-v14: (\P{N})(\p{P}) → "\1 \2 ", then (\p{P})(\P{N}) → " \1 \2", then (\p{S}) → " \1 ".
std::string separated_intl(std::string_view text) {
  const Piece space{" ", 'Z'};
  const std::vector<Piece> all = pieces_of(text);
  std::vector<Piece> first;
  first.reserve(2 * all.size());
  for (size_t i = 0; i < all.size();) {
    const bool match = i + 1 < all.size() && all[i].group != 'N' && all[i + 1].group == 'P';
    if (match)
      first.insert(first.end(), {all[i], space, all[i + 1], space});
    else
      first.push_back(all[i]);
    i += match ? 2 : 1;
  }
  std::string out;
  out.reserve(2 * text.size());
  const auto put = [&](const Piece& piece) {
    if (piece.group == 'S') out += ' ';
    out += piece.bytes;
    if (piece.group == 'S') out += ' ';
  };
  for (size_t i = 0; i < first.size();) {
    const bool match = i + 1 < first.size() && first[i].group == 'P' && first[i + 1].group != 'N';
    if (match) out.append(" ").append(first[i].bytes).append(" ");
    put(first[match ? i + 1 : i]);
    i += match ? 2 : 1;
  }
  return out;
}

constexpr std::array<std::pair<std::string_view, Tokenizer>, 5> kNames = {
    {{"13a", Tokenizer::V13a},
     {"zh", Tokenizer::Zh},
     {"char", Tokenizer::Char},
     {"intl", Tokenizer::Intl},
     {"none", Tokenizer::None}}};

}  // namespace

Tokenizer tokenizer_named(std::string_view name) {
  const auto found = std::find_if(
      kNames.begin(), kNames.end(), [&](const auto& entry) { return entry.first == name; });
  MORTISE_CHECK(found != kNames.end(),
                "unknown BLEU tokenizer: expected 13a, zh, char, intl or none, got {}",
                name);
  return found->second;
}

std::string separated(Tokenizer tokenizer, std::string_view text) {
  switch (tokenizer) {
    case Tokenizer::V13a:
      return separated_13a(text);
    case Tokenizer::Zh:
      return separated_zh(text);
    case Tokenizer::Char:
      return separated_char(text);
    case Tokenizer::Intl:
      return separated_intl(text);
    case Tokenizer::None:
      break;
  }
  return std::string(text);
}

std::string tokenized(Tokenizer tokenizer, std::string_view text) {
  std::string line = separated(tokenizer, text);
  if (tokenizer == Tokenizer::Char || tokenizer == Tokenizer::None) return line;
  std::string joined;
  for (const std::string_view token : pytext::split(line))
    joined.append(joined.empty() ? "" : " ").append(token);
  return joined;
}

}  // namespace mortise::metric::bleu
