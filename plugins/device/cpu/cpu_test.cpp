#include "cpu.hpp"

#include <thread>
#include <vector>

#include <ATen/ATen.h>
#include <doctest/doctest.h>

#include "tensor_memory.hpp"

using mortise::device::cpu::Cpu;
using mortise::device::cpu::kept_tensor_bytes;

TEST_SUITE("device.cpu") {
  TEST_CASE("living tensors and their peak are counted") {
    Cpu cpu;
    const int64_t before = cpu.memory().current_bytes;
    {
      const at::Tensor a = at::empty({1000, 1000});
      CHECK(cpu.memory().current_bytes - before == 4000000);
      cpu.reset_peak();
      { const at::Tensor b = at::empty({500, 1000}); }
      CHECK(cpu.memory().peak_bytes - before == 6000000);
      CHECK(cpu.memory().current_bytes - before == 4000000);
    }
    CHECK(cpu.memory().current_bytes == before);
  }

  TEST_CASE("a freed block serves the next request of its size") {
    Cpu cpu;
    void* first = nullptr;
    {
      const at::Tensor a = at::empty({300000});
      first = a.data_ptr();
    }
    const at::Tensor b = at::empty({300000});
    CHECK(b.data_ptr() == first);
    CHECK(reinterpret_cast<uintptr_t>(first) % 64 == 0);
  }

  TEST_CASE("kept and living bytes stay under the highest mark") {
    Cpu cpu;
    int64_t highest = 0;
    for (int64_t size = 10000; size < 3000000; size += 77777) {
      const at::Tensor a = at::empty({size});
      const at::Tensor b = at::empty({size / 2});
      highest = std::max(highest, cpu.memory().current_bytes);
      CHECK(kept_tensor_bytes() + cpu.memory().current_bytes <=
            highest + highest / 16 + 4 * 300000 * 4);
    }
  }

  TEST_CASE("threads may allocate and free for one another") {
    Cpu cpu;
    const int64_t before = cpu.memory().current_bytes;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([t] {
        std::vector<at::Tensor> held;
        for (int64_t i = 1; i < 300; ++i) {
          held.push_back(at::empty({(i * 977 * (t + 1)) % 50000 + 1}));
          if (i % 3 == 0) held.erase(held.begin());
        }
      });
    for (auto& thread : threads) thread.join();
    CHECK(cpu.memory().current_bytes == before);
  }

  TEST_CASE("empty tensors and raw allocations work") {
    Cpu cpu;
    CHECK(at::empty({0}).numel() == 0);
    c10::Allocator* allocator = c10::GetAllocator(c10::DeviceType::CPU);
    void* raw = allocator->raw_allocate(100);
    allocator->raw_deallocate(raw);
    CHECK(cpu.description().substr(0, 5) == "cpu, ");
    CHECK(cpu.total_bytes() > 0);
  }
}
