// The processor as a device.
#pragma once

#include "mortise/schema.hpp"
#include "mortise/torch/device.hpp"

namespace mortise::device::cpu {

class Cpu final : public Device {
 public:
  struct Config {
    static void describe(Schema<Config>& schema);
  };

  Cpu();

  explicit Cpu(Config) : Cpu() {}

  at::Device device() const override { return at::kCPU; }

  std::string description() const override;
  int64_t total_bytes() const override;
  MemoryStats memory() const override;
  void reset_peak() override;

  void synchronize() override {}
};

}  // namespace mortise::device::cpu
