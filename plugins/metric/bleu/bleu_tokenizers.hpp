// The five tokenizers of BLEU.  Scores compare only when this choice is the same, so it stands in
// the signature.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mortise::metric::bleu {

enum class Tokenizer { V13a, Zh, Char, Intl, None };

/// Finds a tokenizer by the name that recipe and signature use.  Throws: Error on another name.
Tokenizer tokenizer_named(std::string_view name);

/// Returns the text with a space (or other white space) between tokens, and the tokens are what
/// pytext::split makes of it. `text` has been stripped at its right end, as the metric does.
/// Thread: [any-thread].
std::string separated(Tokenizer tokenizer, std::string_view text);

/// What sacrebleu's tokenizer of that name returns, to the byte.
std::string tokenized(Tokenizer tokenizer, std::string_view text);

}  // namespace mortise::metric::bleu
