// The hand-written splitters against PCRE2 running the regular expressions themselves, piece for
// piece.
#include "splitter.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mortise/pytext.hpp"
#include "mortise/random.hpp"

#include "regex_splitter.hpp"
#include "unicode.hpp"

using namespace mortise::tokenizer::byte_bpe;

namespace {

std::vector<std::string> by_hand(Pattern pattern, const std::string& text) {
  std::vector<std::string> pieces;
  const char* p = text.data();
  const char* const end = p + text.size();
  WordEnds batch;
  while (p < end) {
    const char* const stop = split_words(pattern, p, end, batch);
    for (int i = 0; i < batch.count; ++i) {
      pieces.emplace_back(p, batch.ends[static_cast<size_t>(i)]);
      p = batch.ends[static_cast<size_t>(i)];
    }
    CHECK(p == stop);
  }
  return pieces;
}

std::vector<std::string> by_regex(const RegexSplitter& splitter, const std::string& text) {
  std::vector<std::string> pieces;
  for (const auto& piece : splitter.split(text))
    pieces.push_back(text.substr(piece.begin, piece.end - piece.begin));
  return pieces;
}

// Whether PCRE2 (Unicode 14) and the library (its own table) put a character in the same class.
bool agreed(char32_t c) {
  static const RegexSplitter letter(R"(\p{L})", false, SplitBehavior::Removed, false);
  static const RegexSplitter number(R"(\p{N})", false, SplitBehavior::Removed, false);
  static const RegexSplitter space(R"(\s)", false, SplitBehavior::Removed, false);
  std::string text;
  mortise::pytext::append_utf8(text, c);
  const uint8_t classes = code_point_classes()[c];
  return letter.split(text).empty() == ((classes & kLetter) != 0) &&
         number.split(text).empty() == ((classes & kNumber) != 0) &&
         space.split(text).empty() == ((classes & kSpace) != 0);
}

// Runs of characters of one kind, so that all boundaries between kinds occur.
std::string random_text(mortise::Philox& random) {
  static const std::vector<std::u32string> kinds = {U"abcXYZ",
                                                    U"stmdrevlSTMDREVL\u017f",
                                                    U"''''\u2019",
                                                    U" ",
                                                    U"  \t",
                                                    U"\n",
                                                    U"\r\n",
                                                    U"0123456789",
                                                    U"\u0663\u00bd\u2167\uff11",
                                                    U".,;:!?-()[]{}<>|\"#$%",
                                                    U"\u4e2d\u6587\u5b57\u3042\u30ab",
                                                    U"\u00e9\u00df\u00c5\u0131",
                                                    U"e\u0301n\u0303",
                                                    U"\u00a0\u2003\u3000\u2028\u0085",
                                                    U"\U0001f600\U0001f469\u200d",
                                                    U"\u0410\u0431\u05d0\u0627\u0e01"};
  std::string text;
  for (uint64_t runs = random.below(12); runs > 0; --runs) {
    const auto& kind = kinds[random.below(kinds.size())];
    for (uint64_t n = random.below(4) + 1; n > 0; --n)
      mortise::pytext::append_utf8(text, kind[random.below(kind.size())]);
    if (random.below(8) != 0) continue;
    const auto any = static_cast<char32_t>(random.below(0x30000));
    if ((any < 0xd800 || any > 0xdfff) && agreed(any)) mortise::pytext::append_utf8(text, any);
  }
  return text;
}

}  // namespace

TEST_SUITE("tokenizer.byte_bpe") {
  TEST_CASE("hand-written splitters cut as their regular expressions do") {
    mortise::Philox random(7, 1);
    for (Pattern pattern : {Pattern::Gpt2, Pattern::Llama3, Pattern::Qwen2}) {
      const RegexSplitter reference(pattern_regex(pattern), false, SplitBehavior::Isolated, false);
      for (int i = 0; i < 20000; ++i) {
        const std::string text = random_text(random);
        const auto expected = by_regex(reference, text);
        if (by_hand(pattern, text) == expected) continue;
        CAPTURE(text);
        CHECK(by_hand(pattern, text) == expected);
        break;
      }
    }
  }

  TEST_CASE("a text longer than a batch is cut without a seam") {
    std::string text;
    for (int i = 0; i < 2000; ++i) text += i % 3 == 0 ? " word" : i % 3 == 1 ? "  \n" : "12345";
    for (Pattern pattern : {Pattern::Gpt2, Pattern::Llama3, Pattern::Qwen2})
      CHECK(by_hand(pattern, text) ==
            by_regex({pattern_regex(pattern), false, SplitBehavior::Isolated, false}, text));
  }

  TEST_CASE("patterns are known by their exact text") {
    CHECK(known_pattern(pattern_regex(Pattern::Llama3)) == Pattern::Llama3);
    CHECK_FALSE(known_pattern("\\p{L}+").has_value());
    CHECK(pattern_named("qwen2") == Pattern::Qwen2);
    CHECK_FALSE(pattern_named("gpt5").has_value());
  }

  TEST_CASE("Split behaves in its five ways") {
    const std::string text = "the-final--countdown";
    using Pieces = std::vector<std::string>;
    const auto split = [&](SplitBehavior behavior, bool invert = false) {
      return by_regex({"-", true, behavior, invert}, text);
    };
    CHECK(split(SplitBehavior::Removed) == Pieces{"the", "final", "countdown"});
    CHECK(split(SplitBehavior::Isolated) == Pieces{"the", "-", "final", "-", "-", "countdown"});
    CHECK(split(SplitBehavior::MergedWithPrevious) == Pieces{"the-", "final-", "-", "countdown"});
    CHECK(split(SplitBehavior::MergedWithNext) == Pieces{"the", "-final", "-", "-countdown"});
    CHECK(split(SplitBehavior::Contiguous) == Pieces{"the", "-", "final", "--", "countdown"});
    CHECK(split(SplitBehavior::Removed, /*invert=*/true) == Pieces{"-", "-", "-"});
  }

  TEST_CASE("the class table is the library's, not that of an older Unicode") {
    const uint8_t* classes = code_point_classes();
    CHECK((classes[U'a'] & (kLetter | kWord)) == (kLetter | kWord));
    CHECK((classes[U'_'] & (kLetter | kWord)) == kWord);
    CHECK((classes[0x31350] & kLetter) != 0);  // CJK extension H, Unicode 15
    CHECK((classes[0x180e] & kSpace) == 0);
    CHECK((classes[0x3000] & kSpace) != 0);
  }
}
