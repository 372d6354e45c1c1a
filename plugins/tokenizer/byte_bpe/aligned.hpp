// Text that is not the original any more, with the place in the original that each byte stands for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mortise/tokenizer.hpp"

namespace mortise::tokenizer::byte_bpe {

using Span = Encoding::Span;

/// Changed text; spans[i] is the part of the original that byte i came from.
struct Aligned {
  std::string text;
  std::vector<Span> spans;
};

/// Part of the original text, or of an Aligned.   Lifetime: that of what it views.
struct View {
  std::string_view text;
  const Span* spans = nullptr;  // null: the bytes of the original from `base` on
  int64_t base = 0;

  View sub(size_t begin, size_t end) const {
    return {text.substr(begin, end - begin),
            spans == nullptr ? nullptr : spans + begin,
            base + static_cast<int64_t>(begin)};
  }

  /// The part of the original under bytes [begin, end), widened to whole characters.   Requires:
  /// begin < end.
  Span original(size_t begin, size_t end) const;
};

inline View view_of(const Aligned& aligned) { return {aligned.text, aligned.spans.data(), 0}; }

/// Replaces each maximal invalid part of the text by U+FFFD.
Aligned repair(std::string_view text);
/// Whether NFC leaves valid UTF-8 as it is.
bool is_nfc(std::string_view text);
/// Normalizes to NFC, aligned as the `tokenizers` library aligns it.
Aligned to_nfc(const View& view);
/// Puts a space before the text; it stands for the first character.  The spans are filled on
/// request.   Requires: not empty.
Aligned with_prefix_space(const View& view, bool with_spans);

}  // namespace mortise::tokenizer::byte_bpe
