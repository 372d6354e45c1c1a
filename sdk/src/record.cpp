// Kinds of samples as numbers: persistent, for checkpoints and recipes name kinds by word.
#include "mortise/record.hpp"

#include <charconv>

#include "mortise/random.hpp"

namespace mortise {

namespace {

constexpr int64_t kWord = int64_t{1} << 32;

}  // namespace

int64_t kind_number(std::string_view kind) {
  int32_t number = 0;
  const auto [end, error] = std::from_chars(kind.data(), kind.data() + kind.size(), number);
  if (error == std::errc() && end == kind.data() + kind.size() && number >= 0) return number;
  return kWord | static_cast<int64_t>(mix_key(0, kind) & 0xffffffff);
}

bool is_kind_word(int64_t number) { return number >= kWord; }

}  // namespace mortise
