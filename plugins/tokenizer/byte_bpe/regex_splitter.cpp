// PCRE2 (UTF, UCP, JIT) behind the Split pre-tokenizer: matches and the gaps between them, then the
// chosen behaviour.
//
// The library uses Oniguruma; both engines try alternatives in order and agree on what tokenizer
// files contain.  PCRE2 10.42 knows Unicode 14, so letters added later are no letters here; the
// hand-written splitters have the library's own table.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "regex_splitter.hpp"

#include <algorithm>

#include <pcre2.h>

#include "mortise/error.hpp"

#include "unicode.hpp"

namespace mortise::tokenizer::byte_bpe {

namespace {

constexpr uint32_t kMatchLimit = 10'000'000;
constexpr size_t kJitStackBytes = size_t{8} << 20;

std::string reason_of(int error) {
  char text[256] = "";
  pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof text);
  return text;
}

// What matching needs besides the code, one per thread, made on first use.
struct MatchState {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 << 10, kJitStackBytes, nullptr);

  MatchState() {
    pcre2_set_match_limit(context, kMatchLimit);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }

  ~MatchState() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }

  MatchState(const MatchState&) = delete;
  MatchState& operator=(const MatchState&) = delete;
};

}  // namespace

struct RegexSplitter::Code {
  pcre2_code* code = nullptr;

  ~Code() { pcre2_code_free(code); }
};

RegexSplitter::RegexSplitter(std::string_view pattern,
                             bool literal,
                             SplitBehavior behavior,
                             bool invert)
    : code_(std::make_unique<Code>()), pattern_(pattern), behavior_(behavior), invert_(invert) {
  int error = 0;
  PCRE2_SIZE place = 0;
  // \C would cut characters in two
  const uint32_t options =
      literal ? PCRE2_UTF | PCRE2_LITERAL : PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
  code_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern_.data()),
                              pattern_.size(),
                              options,
                              &error,
                              &place,
                              nullptr);
  if (code_->code == nullptr)
    throw DataError(fmt::format("the regular expression \"{}\" is wrong at byte {}: {}",
                                pattern_,
                                place,
                                reason_of(error)));
  pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE);  // without JIT support the interpreter serves
}

RegexSplitter::~RegexSplitter() = default;

std::vector<RegexSplitter::Match> RegexSplitter::find(std::string_view text) const {
  thread_local MatchState state;
  std::vector<Match> found;
  size_t covered = 0;
  for (size_t at = 0; at <= text.size();) {
    const int status = pcre2_match(code_->code,
                                   reinterpret_cast<PCRE2_SPTR>(text.data()),
                                   text.size(),
                                   at,
                                   PCRE2_NO_UTF_CHECK,
                                   state.data,
                                   state.context);
    if (status == PCRE2_ERROR_NOMATCH) break;
    if (status < 0)
      throw DataError(
          fmt::format("the regular expression \"{}\" cannot be matched on {} bytes of text: {}",
                      pattern_,
                      text.size(),
                      reason_of(status)));
    const PCRE2_SIZE* place = pcre2_get_ovector_pointer(state.data);
    const size_t begin = place[0],
                 end = std::max(place[0], place[1]);  // \K could put the begin behind the end
    if (begin > covered) found.push_back({{covered, begin}, false});
    found.push_back({{begin, end}, true});
    covered = end;
    at = end;
    if (begin == end)
      at += at < text.size() ? static_cast<size_t>(decode_utf8(text.data() + at).size) : 1;
  }
  if (covered < text.size()) found.push_back({{covered, text.size()}, false});
  if (invert_)
    for (Match& match : found) match.is_match = !match.is_match;
  return found;
}

std::vector<RegexSplitter::Range> RegexSplitter::split(std::string_view text) const {
  std::vector<Match> matches = find(text);
  const bool to_next = behavior_ == SplitBehavior::MergedWithNext;
  if (to_next) std::reverse(matches.begin(), matches.end());
  std::vector<Range> pieces;
  bool previous = false;
  for (const Match& match : matches) {
    const bool merges = behavior_ == SplitBehavior::Contiguous ? match.is_match == previous
                        : behavior_ == SplitBehavior::MergedWithPrevious || to_next
                            ? match.is_match && !previous
                            : false;
    previous = match.is_match;
    if (merges && !pieces.empty()) {
      pieces.back() = {std::min(pieces.back().begin, match.range.begin),
                       std::max(pieces.back().end, match.range.end)};
    } else if (behavior_ != SplitBehavior::Removed || !match.is_match) {
      pieces.push_back(match.range);
    }
  }
  if (to_next) std::reverse(pieces.begin(), pieces.end());
  std::erase_if(pieces, [](const Range& piece) { return piece.begin == piece.end; });
  return pieces;
}

}  // namespace mortise::tokenizer::byte_bpe
