// Cuts text by any regular expression, through PCRE2 with JIT, in the five ways of the `Split`
// pre-tokenizer.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::tokenizer::byte_bpe {

/// What happens to the text that a Split's pattern matches.
enum class SplitBehavior { Isolated, Removed, Contiguous, MergedWithPrevious, MergedWithNext };

class RegexSplitter {
 public:
  /// `literal`: the pattern is plain text.  Throws: DataError with the place in the pattern and
  /// PCRE2's reason.
  RegexSplitter(std::string_view pattern, bool literal, SplitBehavior behavior, bool invert);
  ~RegexSplitter();

  /// A piece of the text, [begin, end).
  struct Range {
    size_t begin, end;
    bool operator==(const Range&) const = default;
  };

  /// Cuts valid UTF-8; empty pieces are left out.  Throws: DataError when matching exceeds PCRE2's
  /// limits. Thread: [any-thread, concurrent].
  std::vector<Range> split(std::string_view text) const;

 private:
  struct Code;

  struct Match {
    Range range;
    bool is_match;
  };

  std::vector<Match> find(std::string_view text) const;

  std::unique_ptr<Code> code_;
  std::string pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

}  // namespace mortise::tokenizer::byte_bpe
