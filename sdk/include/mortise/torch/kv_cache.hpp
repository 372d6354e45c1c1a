// Keys and values of the tokens seen so far, preallocated: generation never concatenates.
//
// A layer with a sliding window keeps what a later token may see and little more: a buffer of
// window − 1 tokens and some room; when the room is used up, the last window − 1 move to the front.
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
  /// `forgets` false: layers with a window keep all tokens too, as view() and truncate() may need.
  KvCache(int64_t num_layers, int64_t capacity, bool forgets = true);
  /// Stores the new keys and values of one layer and returns those that the new ones may see, and
  /// the new ones: of all tokens so far, or with a `window` (0: none) of the last window − 1 at
  /// most. Shapes: k_BTGK, v_BTGK → k_BUGK, v_BUGK with U = min(length(), window − 1) + T.
  /// Lifetime: until the layer's next append.  Throws: Error beyond the capacity.
  std::pair<at::Tensor, at::Tensor> append(int64_t layer,
                                           const at::Tensor& k_BTGK,
                                           const at::Tensor& v_BTGK,
                                           int64_t window = 0);

  /// Keys and values of the tokens so far that the layer still has, the last ones.  Shapes: k_BUGK,
  /// v_BUGK.
  std::pair<at::Tensor, at::Tensor> view(int64_t layer) const;

  /// Tokens that every layer has seen; append() of a layer does not change it, advance() does, once
  /// per forward.
  int64_t length() const { return length_; }

  void advance(int64_t num_tokens) { length_ += num_tokens; }

  /// Forgets all but the first `length` tokens (speculation, beams).   Requires: length ≤ length().
  /// Throws: Error when a layer with a window dropped tokens that the next one would see.
  void truncate(int64_t length);

  int64_t capacity() const { return capacity_; }

  int64_t bytes() const;

 private:
  struct Layer {
    at::Tensor k, v;     // [B, size, G, K], allocated at the first append
    int64_t first = 0;   // the token at the front
    int64_t window = 0;  // 0: keeps all
    bool forgets = true;
  };

  std::vector<Layer> layers_;
  int64_t capacity_, length_ = 0;
};

}  // namespace mortise
