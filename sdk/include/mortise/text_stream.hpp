// Tokens in, whole characters out: what a terminal may show while a continuation grows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mortise/tokenizer.hpp"

namespace mortise {

/// Holds back the bytes of a character that is not complete yet.   Thread: [one thread at a time].
/// Lifetime: the tokenizer outlives it.
class MORTISE_API TextStream {
 public:
  explicit TextStream(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  /// Adds one token; returns the text that became certain, maybe empty.
  std::string push(int32_t id);
  /// The rest; bytes that never became a character come as U+FFFD.
  std::string finish();

 private:
  std::string fresh_text(bool is_final);

  const Tokenizer& tokenizer_;
  std::vector<int32_t> ids_;
  size_t context_ = 0;  // decoding starts here …
  size_t shown_ = 0;    // … and what the tokens up to here gave was shown
};

}  // namespace mortise
