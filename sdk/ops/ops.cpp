// The choice of kernels, once per process.
#include <cstdlib>
#include <string_view>

#include "kernels.hpp"

namespace mortise::ops {

namespace {

// MORTISE_ISA=base|avx2|avx512 lowers the choice, for tests of all variants on one machine.
const Kernels& choose() {
  const char* wish = std::getenv("MORTISE_ISA");
  const std::string_view limit = wish == nullptr ? "avx512" : wish;
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq");
  if (avx512 && limit == "avx512") return kernels_avx512();
  return avx2 && limit != "base" ? kernels_avx2() : kernels_base();
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace mortise::ops
