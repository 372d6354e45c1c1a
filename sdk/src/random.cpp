// Philox 4×32-10, Feistel permutation and key mixing (see the header for sources).
#include "mortise/random.hpp"

#include <algorithm>
#include <bit>

#include "mortise/error.hpp"

namespace mortise {

namespace {

std::array<uint32_t, 4> philox_block(uint64_t key, uint64_t stream, uint64_t counter) {
  std::array<uint32_t, 4> x = {static_cast<uint32_t>(counter),
                               static_cast<uint32_t>(counter >> 32),
                               static_cast<uint32_t>(stream),
                               static_cast<uint32_t>(stream >> 32)};
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * x[0], p1 = uint64_t{0xCD9E8D57u} * x[2];
    x = {static_cast<uint32_t>(p1 >> 32) ^ x[1] ^ k0,
         static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ x[3] ^ k1,
         static_cast<uint32_t>(p0)};
  }
  return x;
}

uint64_t mix64(uint64_t x) {  // the finaliser of splitmix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

}  // namespace

void Philox::seek(uint64_t block) {
  counter_ = block;
  left_ = 0;
}

uint32_t Philox::next_u32() {
  if (left_ == 0) {
    block_ = philox_block(key_, stream_, counter_++);
    left_ = 4;
  }
  return block_[static_cast<size_t>(4 - left_--)];
}

uint64_t Philox::next_u64() {
  const uint64_t low = next_u32();
  return low | (uint64_t{next_u32()} << 32);
}

double Philox::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }

uint64_t Philox::below(uint64_t bound) {
  MORTISE_ASSERT(bound > 0, "below(0)");
  const uint64_t reject = (0 - bound) % bound;  // 2^64 mod bound
  uint64_t value = next_u64();
  while (value < reject) value = next_u64();
  return value % bound;
}

int64_t permute_index(int64_t index, int64_t size, uint64_t key) {
  MORTISE_ASSERT(index >= 0 && index < size, "index {} of {}", index, size);
  const int half =
      std::max(1, (static_cast<int>(std::bit_width(static_cast<uint64_t>(size - 1))) + 1) / 2);
  const uint64_t mask = (uint64_t{1} << half) - 1;
  uint64_t value = static_cast<uint64_t>(index);
  do {  // walk the cycle until the image lies inside the range: at most 4 × size values are outside
    uint64_t left = value >> half, right = value & mask;
    for (uint64_t round = 0; round < 6; ++round) {
      const uint64_t next = left ^ (mix64(right ^ mix64(key + round)) & mask);
      left = right;
      right = next;
    }
    value = (left << half) | right;
  } while (value >= static_cast<uint64_t>(size));
  return static_cast<int64_t>(value);
}

uint64_t mix_key(uint64_t seed, std::string_view name) {
  uint64_t hash = mix64(seed + 0x9e3779b97f4a7c15ull);
  for (const char c : name)
    hash = mix64(hash ^ static_cast<unsigned char>(c)) + 0x9e3779b97f4a7c15ull;
  return mix64(hash);
}

}  // namespace mortise
