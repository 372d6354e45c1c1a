// The CPU kernels for AVX-512.  Raw pointers only; see kernels.hpp.
#define VECTOR_FLOATS 16
#include "kernels_body.hpp"

namespace mortise::ops {

const Kernels& kernels_avx512() {
  static constexpr Kernels instance = table("avx512");
  return instance;
}

}  // namespace mortise::ops
