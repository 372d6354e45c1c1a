// The CPU kernels for AVX2 and FMA.  Raw pointers only; see kernels.hpp.
#define VECTOR_FLOATS 8
#include "kernels_body.hpp"

namespace mortise::ops {

const Kernels& kernels_avx2() {
  static constexpr Kernels instance = table("avx2");
  return instance;
}

}  // namespace mortise::ops
