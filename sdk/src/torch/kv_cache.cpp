// KvCache: one preallocated tensor pair a layer.
#include "mortise/torch/kv_cache.hpp"

#include <ATen/ATen.h>

#include "mortise/error.hpp"

namespace mortise {

KvCache::KvCache(int64_t num_layers, int64_t capacity)
    : layers_(static_cast<size_t>(num_layers)), capacity_(capacity) {}

std::pair<at::Tensor, at::Tensor> KvCache::append(int64_t layer,
                                                  const at::Tensor& k_BTGK,
                                                  const at::Tensor& v_BTGK) {
  const int64_t total = length_ + k_BTGK.size(1);
  MORTISE_CHECK_LE(total, capacity_, "the cache of keys and values is full");
  Layer& store = layers_.at(static_cast<size_t>(layer));
  if (!store.k.defined()) {
    store.k =
        at::empty({k_BTGK.size(0), capacity_, k_BTGK.size(2), k_BTGK.size(3)}, k_BTGK.options());
    store.v =
        at::empty({v_BTGK.size(0), capacity_, v_BTGK.size(2), v_BTGK.size(3)}, v_BTGK.options());
  }
  store.k.narrow(1, length_, k_BTGK.size(1)).copy_(k_BTGK);
  store.v.narrow(1, length_, v_BTGK.size(1)).copy_(v_BTGK);
  return {store.k.narrow(1, 0, total), store.v.narrow(1, 0, total)};
}

std::pair<at::Tensor, at::Tensor> KvCache::view(int64_t layer) const {
  const Layer& store = layers_.at(static_cast<size_t>(layer));
  if (!store.k.defined()) return {};
  return {store.k.narrow(1, 0, length_), store.v.narrow(1, 0, length_)};
}

void KvCache::truncate(int64_t length) {
  MORTISE_ASSERT(length >= 0 && length <= length_, "truncate to {} of {}", length, length_);
  length_ = length;
}

int64_t KvCache::bytes() const {
  int64_t sum = 0;
  for (const Layer& layer : layers_)
    if (layer.k.defined()) sum += static_cast<int64_t>(layer.k.nbytes() + layer.v.nbytes());
  return sum;
}

}  // namespace mortise
