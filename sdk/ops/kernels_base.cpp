// The CPU kernels for x86-64-v2 (SSE).  Raw pointers only; see kernels.hpp.
#define VECTOR_FLOATS 4
#include "kernels_body.hpp"

namespace mortise::ops {

const Kernels& kernels_base() {
  static constexpr Kernels instance = table("base");
  return instance;
}

}  // namespace mortise::ops
