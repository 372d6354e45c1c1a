// The processor as a device: what it is, how much memory there is, and the tensors' share of it
// (tensor_memory.cpp).
#include "cpu.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <unistd.h>

#include "mortise/plugin.hpp"

#include "tensor_memory.hpp"

namespace mortise::device::cpu {

namespace {

/// The limit of this control group, when there is one.
int64_t group_limit() {
  std::ifstream file("/sys/fs/cgroup/memory.max");
  int64_t bytes = 0;
  return file >> bytes ? bytes : INT64_MAX;  // the file holds the word `max` when there is none
}

}  // namespace

Cpu::Cpu() { install_tensor_memory(); }

std::string Cpu::description() const {
  std::string isa = at::get_cpu_capability();
  std::transform(isa.begin(), isa.end(), isa.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  const int threads = at::get_num_threads();
  return fmt::format("cpu, {} thread{}, {}", threads, threads == 1 ? "" : "s", isa);
}

int64_t Cpu::total_bytes() const {
  return std::min<int64_t>(int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE), group_limit());
}

MemoryStats Cpu::memory() const { return {current_tensor_bytes(), peak_tensor_bytes()}; }

void Cpu::reset_peak() { reset_peak_tensor_bytes(); }

void Cpu::Config::describe(Schema<Config>& schema) {
  schema.provides("bf16");  // what run.dtype may ask for
  schema.provides("fp16");
}

}  // namespace mortise::device::cpu

MORTISE_PLUGIN("org.mortise.device.cpu",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::device::cpu::Cpu>(
                   "cpu", "the processor, with counted and recycled tensor memory"));
