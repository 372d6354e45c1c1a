// @NAME@: the processor, without counting memory.
#include <mortise/plugin.hpp>
#include <mortise/torch/device.hpp>
#include <unistd.h>

struct @CLASS@ final : mortise::Device {
  struct Config {
    static void describe(mortise::Schema<Config>& s) {
      s.provides("bf16");  // what run.dtype may ask for, besides fp32
      s.provides("fp16");
    }
  };
  explicit @CLASS@(Config) {}
  at::Device device() const override { return at::kCPU; }
  std::string description() const override { return "cpu, not counted"; }
  int64_t total_bytes() const override { return int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE); }
  mortise::MemoryStats memory() const override { return {}; }
  void reset_peak() override {}
  void synchronize() override {}
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "the processor, memory not counted"));
