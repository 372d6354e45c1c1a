// XXH3-128 over length-prefixed pieces.
#include "mortise/digest.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "mortise/file.hpp"

namespace mortise {

namespace {

std::string text_of(const XXH3_state_t& state) {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

struct Digest::State {
  XXH3_state_t hash;
};

Digest::Digest() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->hash); }

Digest::~Digest() = default;

Digest& Digest::add(std::span<const std::byte> bytes) {
  const uint64_t size = bytes.size();
  XXH3_128bits_update(&state_->hash, &size, sizeof size);
  XXH3_128bits_update(&state_->hash, bytes.data(), bytes.size());
  return *this;
}

Digest& Digest::add(std::string_view text) {
  return add(std::as_bytes(std::span(text.data(), text.size())));
}

std::string Digest::text() const { return text_of(state_->hash); }

// As one piece, but the pages that were read are given back: a checkpoint is as large as the model.
std::string file_digest(const std::string& path) {
  constexpr size_t kChunk = size_t{4} << 20;  // whole pages
  const auto file = MappedFile::open(path);
  const std::span<const std::byte> bytes = file->bytes();
  XXH3_state_t hash;
  XXH3_128bits_reset(&hash);
  const uint64_t size = bytes.size();
  XXH3_128bits_update(&hash, &size, sizeof size);
  for (size_t begin = 0; begin < bytes.size(); begin += kChunk) {
    const auto chunk = bytes.subspan(begin, std::min(kChunk, bytes.size() - begin));
    XXH3_128bits_update(&hash, chunk.data(), chunk.size());
    ::madvise(const_cast<std::byte*>(chunk.data()), chunk.size(), MADV_DONTNEED);
  }
  return text_of(hash);
}

}  // namespace mortise
