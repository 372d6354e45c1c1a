// Numbers distinct keys 0, 1, 2, … in the order in which they are first seen.
//
// An open-addressing table with linear probing whose capacity is fixed at construction: metrics
// know how many n-grams a segment has before they count them, so nothing is ever rehashed.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "mortise/error.hpp"

namespace mortise {

/// Key: a cheap value with ==, for example std::string_view or uint64_t.   Thread: [one thread at a
/// time].
template <class Key>
class FlatIndex {
 public:
  /// Holds at most `max_keys` distinct keys.
  explicit FlatIndex(size_t max_keys) : slots_(std::bit_ceil(2 * max_keys + 2)) {}

  /// Returns the number of `key`, a new one at first sight.
  int32_t number(const Key& key) {
    const size_t mask = slots_.size() - 1;
    for (size_t at = hash(key) & mask;; at = (at + 1) & mask) {
      Slot& slot = slots_[at];
      if (slot.number < 0) {
        MORTISE_ASSERT(
            2 * static_cast<size_t>(size_) < slots_.size(), "more keys than announced: {}", size_);
        slot = {key, size_++};
        return slot.number;
      }
      if (slot.key == key) return slot.number;
    }
  }

  int32_t size() const { return size_; }

 private:
  struct Slot {
    Key key{};
    int32_t number = -1;
  };

  // Fibonacci hashing spreads neighbouring numbers; FNV-1a does for the short words of a text.
  static size_t hash(uint64_t key) {
    key *= 0x9E3779B97F4A7C15u;
    return static_cast<size_t>(key ^ (key >> 29));
  }

  static size_t hash(std::string_view text) {
    uint64_t state = 0xCBF29CE484222325u;
    for (const char c : text) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
    return hash(state);
  }

  std::vector<Slot> slots_;
  int32_t size_ = 0;
};

}  // namespace mortise
