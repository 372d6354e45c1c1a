// Keys and values of the tokens seen so far, preallocated: generation never concatenates.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mortise/api.hpp"

namespace mortise {

/// One cache serves one batch of sequences of equal length.   Thread: [one thread at a time].
class MORTISE_API KvCache {
 public:
  KvCache(int64_t num_layers, int64_t capacity);
  /// Stores the new keys and values of one layer and returns those of all tokens so far, the new
  /// ones included. Shapes: k_BTGK, v_BTGK → k_BUGK, v_BUGK with U = length() + T.  Throws: Error
  /// beyond the capacity.
  std::pair<at::Tensor, at::Tensor> append(int64_t layer,
                                           const at::Tensor& k_BTGK,
                                           const at::Tensor& v_BTGK);

  /// Keys and values of the tokens so far.  Shapes: k_BUGK, v_BUGK.
  std::pair<at::Tensor, at::Tensor> view(int64_t layer) const;

  /// Tokens that every layer holds; append() of a layer does not change it, advance() does, once
  /// per forward.
  int64_t length() const { return length_; }

  void advance(int64_t num_tokens) { length_ += num_tokens; }

  /// Forgets all but the first `length` tokens (speculation, beams).   Requires: length ≤ length().
  void truncate(int64_t length);

  int64_t capacity() const { return capacity_; }

  int64_t bytes() const;

 private:
  struct Layer {
    at::Tensor k, v;  // [B, capacity, G, K], allocated at the first append
  };

  std::vector<Layer> layers_;
  int64_t capacity_, length_ = 0;
};

}  // namespace mortise
