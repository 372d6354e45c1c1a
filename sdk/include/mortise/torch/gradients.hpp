// Sums over many gradients at once: what a global norm is made of.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "mortise/api.hpp"

namespace mortise {

/// Σ x² of each tensor, 0 for an undefined one: one pass over all of them on all threads.  Floating
/// CPU tensors are summed in double, block by block, in an order that depends on sizes only: the
/// same bits at any thread count.  nan and infinity come through.   Thread: [any-thread].
MORTISE_API std::vector<double> sums_of_squares(const std::vector<at::Tensor>& tensors);

}  // namespace mortise
