// Two small open-addressing hash maps (linear probing, power-of-two size, half full at most).
//
// std::unordered_map follows a pointer for each look-up; the merge table is asked several times for
// each byte of text.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace mortise::tokenizer::byte_bpe {

/// Mixes 64 bits well enough for a power-of-two table (the finalizer of splitmix64).
inline uint64_t mix_bits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

/// Hashes bytes, eight at a time.
inline uint64_t hash_bytes(std::string_view bytes) {
  uint64_t hash = 0x9e3779b97f4a7c15ull ^ bytes.size();
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    hash = (hash ^ word) * 0xff51afd7ed558ccdull;
    hash ^= hash >> 32;
  }
  uint64_t tail = 0;
  if (at < bytes.size()) std::memcpy(&tail, bytes.data() + at, bytes.size() - at);
  return mix_bits(hash ^ tail);
}

/// uint64 → V.  The key ~0 is reserved.
template <class V>
class FlatMap {
 public:
  void reserve(size_t count) {
    size_t size = 16;
    while (size < count * 2) size *= 2;
    if (size > slots_.size()) rehash(size);
  }

  const V* find(uint64_t key) const {
    if (slots_.empty()) return nullptr;
    for (size_t i = mix_bits(key) & mask_;; i = (i + 1) & mask_) {
      if (slots_[i].key == key) return &slots_[i].value;
      if (slots_[i].key == kEmpty) return nullptr;
    }
  }

  /// The value of a key, made with V() when new.
  V& operator[](uint64_t key) {
    if ((count_ + 1) * 2 > slots_.size()) rehash(slots_.empty() ? 16 : slots_.size() * 2);
    size_t i = mix_bits(key) & mask_;
    while (slots_[i].key != key && slots_[i].key != kEmpty) i = (i + 1) & mask_;
    if (slots_[i].key == kEmpty) {
      slots_[i] = {key, V()};
      ++count_;
    }
    return slots_[i].value;
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};

  struct Slot {
    uint64_t key = kEmpty;
    V value{};
  };

  void rehash(size_t size) {
    std::vector<Slot> old(size);
    old.swap(slots_);
    mask_ = size - 1;
    for (Slot& slot : old) {
      if (slot.key == kEmpty) continue;
      size_t i = mix_bits(slot.key) & mask_;
      while (slots_[i].key != kEmpty) i = (i + 1) & mask_;
      slots_[i] = std::move(slot);
    }
  }

  std::vector<Slot> slots_;
  size_t mask_ = 0, count_ = 0;
};

/// Text → int32.  Keys are views: Lifetime: the caller keeps the text.
class FlatStringMap {
 public:
  void reserve(size_t count) {
    size_t size = 16;
    while (size < count * 2) size *= 2;
    if (size > slots_.size()) rehash(size);
  }

  const int32_t* find(std::string_view key) const {
    return slots_.empty() ? nullptr : found(slots_[place(key, hash_bytes(key))]);
  }

  /// Adds a key, or returns false and leaves the old value when it is there.
  bool insert(std::string_view key, int32_t value) {
    if ((count_ + 1) * 2 > slots_.size()) rehash(slots_.empty() ? 16 : slots_.size() * 2);
    const uint64_t hash = hash_bytes(key);
    Slot& slot = slots_[place(key, hash)];
    if (slot.used) return false;
    slot = {key, hash, value, true};
    ++count_;
    return true;
  }

 private:
  struct Slot {
    std::string_view key;
    uint64_t hash = 0;
    int32_t value = 0;
    bool used = false;
  };

  static const int32_t* found(const Slot& slot) { return slot.used ? &slot.value : nullptr; }

  size_t place(std::string_view key, uint64_t hash) const {
    size_t i = hash & mask_;
    while (slots_[i].used && !(slots_[i].hash == hash && slots_[i].key == key)) i = (i + 1) & mask_;
    return i;
  }

  void rehash(size_t size) {
    std::vector<Slot> old(size);
    old.swap(slots_);
    mask_ = size - 1;
    for (const Slot& slot : old)
      if (slot.used) slots_[place(slot.key, slot.hash)] = slot;
  }

  std::vector<Slot> slots_;
  size_t mask_ = 0, count_ = 0;
};

}  // namespace mortise::tokenizer::byte_bpe
