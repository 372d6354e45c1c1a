// Counter-based random numbers (Philox 4×32-10) and a stateless permutation.
//
// A number is a pure function of (key, counter), so nothing needs saving and any worker count gives
// the same result.  Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC'11.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "mortise/api.hpp"

namespace mortise {

/// A stream of random numbers named by (key, stream).  Cheap to make and copy.   Thread: [one
/// thread at a time].
class MORTISE_API Philox {
 public:
  Philox(uint64_t key, uint64_t stream) : key_(key), stream_(stream) {}

  /// Continues at block `block` of the stream: number 4·block.  Any thread may so compute any part.
  void seek(uint64_t block);
  uint32_t next_u32();
  uint64_t next_u64();
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform in [0, bound), without bias.   Requires: bound > 0.
  uint64_t below(uint64_t bound);

 private:
  uint64_t key_, stream_, counter_ = 0;
  std::array<uint32_t, 4> block_{};
  int left_ = 0;
};

/// The image of `index` under a pseudo-random permutation of [0, size), by a Feistel network with
/// cycle walking. Pure and O(1): a shuffled order needs no stored array.   Requires: 0 ≤ index <
/// size.
MORTISE_API int64_t permute_index(int64_t index, int64_t size, uint64_t key);

/// A well-mixed 64-bit hash of text and number, for deriving keys ("init", path).  Persistent:
/// seeds depend on it.
MORTISE_API uint64_t mix_key(uint64_t seed, std::string_view name);

}  // namespace mortise
