// A decoder may look at its neighbours (spaces, replaced bytes), so new tokens are decoded together
// with those shown last, and what those gave alone is cut off.  The window stays short: the cost of
// a token does not grow.
#include "mortise/text_stream.hpp"

#include <string_view>

namespace mortise {

namespace {

constexpr std::string_view kReplacement =
    "\xef\xbf\xbd";  // U+FFFD: how decode() shows bytes that are no UTF-8

}  // namespace

std::string TextStream::push(int32_t id) {
  ids_.push_back(id);
  return fresh_text(/*is_final=*/false);
}

std::string TextStream::finish() { return fresh_text(/*is_final=*/true); }

std::string TextStream::fresh_text(bool is_final) {
  const auto decode = [&](size_t begin, size_t end) {
    return tokenizer_.decode(
        {ids_.begin() + static_cast<int64_t>(begin), ids_.begin() + static_cast<int64_t>(end)},
        /*skip_special=*/true);
  };
  const std::string before = decode(context_, shown_), all = decode(context_, ids_.size());
  if (all.size() <= before.size()) return {};
  if (!is_final && std::string_view(all).ends_with(kReplacement)) return {};
  context_ = shown_;
  shown_ = ids_.size();
  return all.substr(before.size());
}

}  // namespace mortise
