// The one place that is compiled with OpenMP (see parallel_for.hpp); the pool is the one that
// at::set_num_threads governs.
#include "mortise/torch/parallel_for.hpp"

#include <ATen/Parallel.h>

namespace mortise {

void parallel_for(int64_t begin,
                  int64_t end,
                  int64_t grain,
                  const std::function<void(int64_t, int64_t)>& body) {
  at::parallel_for(begin, end, grain, body);
}

}  // namespace mortise
