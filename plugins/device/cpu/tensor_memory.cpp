// An allocator behind c10::SetAllocator: counts living bytes and recycles freed blocks by size
// class.
//
// Why not malloc alone: a training step frees and allocates the same few hundred blocks again and
// again.  glibc maps big ones anew each time, so the kernel zeroes their pages in every step (7 %
// of a step of the quick-start model). Blocks of at least 16 KiB go into lists by size class (eight
// classes per power of two: at most 12.5 % is lost to rounding).  Kept + living bytes never exceed
// the peak of the living ones: when a request would pass it, the largest kept blocks are freed
// first.
//
// A header of one cache line stands before each block, so that the deleter finds the size without a
// look-up.
#include "tensor_memory.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#include <c10/core/CPUAllocator.h>

namespace mortise::device::cpu {

namespace {

constexpr size_t kAlign = 64;  // header and data alignment: a cache line, an AVX-512 register
constexpr size_t kSmallest = 16 * 1024;  // smaller blocks are glibc's own business
constexpr size_t kNumClasses = 8 * 50;

struct Header {
  size_t requested;
  size_t capacity;  // 0: not of a class
};

static_assert(sizeof(Header) <= kAlign);

/// Rounds up to the size class; the index of the class is unique.
size_t class_size(size_t bytes) {
  const size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

size_t class_index(size_t capacity) {
  const size_t power = static_cast<size_t>(std::bit_width(capacity)) - 1;
  return (power - 14) * 8 + ((capacity >> (power - 3)) & 7);
}

class TensorMemory final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &release, c10::Device(c10::DeviceType::CPU)};
    count(static_cast<int64_t>(bytes));
    const size_t capacity = bytes < kSmallest ? 0 : class_size(bytes);
    void* base = capacity == 0 ? nullptr : take(capacity);
    if (base == nullptr) base = fresh(capacity == 0 ? bytes : capacity);
    *static_cast<Header*>(base) = {bytes, capacity};
    void* data = static_cast<char*>(base) + kAlign;
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, size_t count) const override {
    std::memcpy(to, from, count);
  }

  std::atomic<int64_t> current{0}, peak{0}, highest{0}, kept{0};

 private:
  static void release(void* data);

  void count(int64_t bytes) {
    const int64_t now = current.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    for (auto* mark : {&peak, &highest}) {
      int64_t seen = mark->load(std::memory_order_relaxed);
      while (now > seen && !mark->compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
      }
    }
  }

  void* take(size_t capacity) {
    const std::lock_guard lock(mutex_);
    auto& list = lists_[class_index(capacity)];
    if (list.empty()) {
      trim();
      return nullptr;
    }
    void* base = list.back();
    list.pop_back();
    kept.fetch_sub(static_cast<int64_t>(capacity), std::memory_order_relaxed);
    return base;
  }

  void give(void* base, size_t capacity) {
    const std::lock_guard lock(mutex_);
    lists_[class_index(capacity)].push_back(base);
    kept.fetch_add(static_cast<int64_t>(capacity), std::memory_order_relaxed);
    trim();
  }

  // Frees the largest kept blocks until kept and living bytes fit under the highest mark again.
  void trim() {
    const int64_t limit =
        highest.load(std::memory_order_relaxed) + highest.load(std::memory_order_relaxed) / 16;
    for (size_t index = kNumClasses; index-- > 0;) {
      auto& list = lists_[index];
      while (!list.empty()) {
        if (kept.load(std::memory_order_relaxed) + current.load(std::memory_order_relaxed) <= limit)
          return;
        void* base = list.back();
        list.pop_back();
        kept.fetch_sub(static_cast<int64_t>(static_cast<Header*>(base)->capacity),
                       std::memory_order_relaxed);
        std::free(base);
      }
    }
  }

  void* fresh(size_t bytes) {
    void* base = nullptr;
    if (bytes > SIZE_MAX / 2 || ::posix_memalign(&base, kAlign, bytes + kAlign) != 0) {
      current.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
      throw std::bad_alloc();
    }
    return base;
  }

  std::mutex mutex_;
  std::array<std::vector<void*>, kNumClasses> lists_;
};

TensorMemory& memory() {
  static auto* instance =
      new TensorMemory();  // never destroyed: tensors in static objects outlive it otherwise
  return *instance;
}

void TensorMemory::release(void* data) {
  if (data == nullptr) return;
  void* base = static_cast<char*>(data) - kAlign;
  const Header header = *static_cast<Header*>(base);
  memory().current.fetch_sub(static_cast<int64_t>(header.requested), std::memory_order_relaxed);
  if (header.capacity == 0)
    std::free(base);
  else
    memory().give(base, header.capacity);
}

}  // namespace

void install_tensor_memory() {
  static const bool once = [] {
    c10::SetAllocator(c10::DeviceType::CPU, &memory(), /*priority=*/1);
    return true;
  }();
  (void)once;
}

int64_t current_tensor_bytes() { return memory().current.load(std::memory_order_relaxed); }

int64_t peak_tensor_bytes() { return memory().peak.load(std::memory_order_relaxed); }

void reset_peak_tensor_bytes() {
  memory().peak.store(memory().current.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

int64_t kept_tensor_bytes() { return memory().kept.load(std::memory_order_relaxed); }

}  // namespace mortise::device::cpu
