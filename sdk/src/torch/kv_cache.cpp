// KvCache: one preallocated tensor pair a layer.
#include "mortise/torch/kv_cache.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "mortise/error.hpp"

namespace mortise {

namespace {

/// Tokens that a layer with a window holds: every room + 1 tokens window − 1 of them are moved.
int64_t buffer_size(int64_t window, int64_t capacity) {
  const int64_t room = window / 8 + 32;
  return std::min(capacity, window - 1 + room);
}

at::Tensor buffer_for(const at::Tensor& x_BTGK, int64_t size) {
  return at::empty({x_BTGK.size(0), size, x_BTGK.size(2), x_BTGK.size(3)}, x_BTGK.options());
}

/// Moves `count` tokens from `begin` to the front of a buffer.
void move_to_front(at::Tensor& x_BUGK, int64_t begin, int64_t count) {
  x_BUGK.narrow(1, 0, count).copy_(x_BUGK.narrow(1, begin, count).clone());
}

}  // namespace

KvCache::KvCache(int64_t num_layers, int64_t capacity, bool forgets)
    : layers_(static_cast<size_t>(num_layers)), capacity_(capacity) {
  for (Layer& layer : layers_) layer.forgets = forgets;
}

std::pair<at::Tensor, at::Tensor> KvCache::append(int64_t layer,
                                                  const at::Tensor& k_BTGK,
                                                  const at::Tensor& v_BTGK,
                                                  int64_t window) {
  const int64_t tokens = k_BTGK.size(1), total = length_ + tokens;
  MORTISE_CHECK_LE(total, capacity_, "the cache of keys and values is full");
  Layer& store = layers_.at(static_cast<size_t>(layer));
  if (!store.k.defined()) {
    store.window = store.forgets && window < capacity_ ? window : 0;
    const int64_t size = store.window > 0 ? buffer_size(window, capacity_) : capacity_;
    store.k = buffer_for(k_BTGK, size);
    store.v = buffer_for(v_BTGK, size);
  }
  const int64_t seen = window > 0 ? std::min(length_, window - 1) : length_;
  const int64_t begin = length_ - seen - store.first;  // of what the new tokens see, in the buffer
  MORTISE_CHECK(begin >= 0,
                "a layer of the cache has dropped tokens that are asked for: it was filled with a "
                "window of {} and is read with {} (0: none)",
                store.window,
                window);
  if (begin + seen + tokens > store.k.size(1)) {
    if (seen + tokens > store.k.size(1)) {  // more at once than the buffer holds
      const auto with = [&](const at::Tensor& old, const at::Tensor& added) {
        return seen == 0 ? added : at::cat({old.narrow(1, begin, seen), added}, 1);
      };
      const at::Tensor k = with(store.k, k_BTGK), v = with(store.v, v_BTGK);
      const int64_t kept = window - 1;
      store.k.narrow(1, 0, kept).copy_(k.narrow(1, k.size(1) - kept, kept));
      store.v.narrow(1, 0, kept).copy_(v.narrow(1, v.size(1) - kept, kept));
      store.first = total - kept;
      return {k, v};
    }
    move_to_front(store.k, begin, seen);
    move_to_front(store.v, begin, seen);
    store.first += begin;
    return append(layer, k_BTGK, v_BTGK, window);
  }
  store.k.narrow(1, begin + seen, tokens).copy_(k_BTGK);
  store.v.narrow(1, begin + seen, tokens).copy_(v_BTGK);
  return {store.k.narrow(1, begin, seen + tokens), store.v.narrow(1, begin, seen + tokens)};
}

std::pair<at::Tensor, at::Tensor> KvCache::view(int64_t layer) const {
  const Layer& store = layers_.at(static_cast<size_t>(layer));
  if (!store.k.defined()) return {};
  return {store.k.narrow(1, 0, length_ - store.first), store.v.narrow(1, 0, length_ - store.first)};
}

void KvCache::truncate(int64_t length) {
  MORTISE_ASSERT(length >= 0 && length <= length_, "truncate to {} of {}", length, length_);
  for (const Layer& layer : layers_)
    MORTISE_CHECK(layer.first == 0 || layer.first <= length - (layer.window - 1),
                  "the cache cannot go back to {} tokens: a layer with a window of {} has dropped "
                  "the first {}; make it with forgets = false",
                  length,
                  layer.window,
                  layer.first);
  length_ = length;
}

int64_t KvCache::bytes() const {
  int64_t sum = 0;
  for (const Layer& layer : layers_)
    if (layer.k.defined()) sum += static_cast<int64_t>(layer.k.nbytes() + layer.v.nbytes());
  return sum;
}

}  // namespace mortise
