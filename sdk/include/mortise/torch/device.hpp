// Interface `device`: where tensors live, and what is known about their memory.
#pragma once

#include <string>

#include "mortise/host.hpp"
#include "mortise/torch/module.hpp"

namespace mortise {

struct MemoryStats {
  int64_t current_bytes = 0;  // tensor bytes alive now
  int64_t peak_bytes = 0;     // the most since reset_peak()
};

class MORTISE_API Device : public Component {
 public:
  using Interface = Device;
  using Args = NoArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "device/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_TENSOR_TYPES, MORTISE_TYPE(MemoryStats)});
  }

  virtual ~Device();
  virtual at::Device device() const = 0;
  /// A sentence for people and lock files: "cpu, 2 threads, avx512".   Thread: [any-thread], as all
  /// calls here.
  virtual std::string description() const = 0;
  virtual int64_t total_bytes() const = 0;
  virtual MemoryStats memory() const = 0;
  virtual void reset_peak() = 0;
  /// Waits for all work that was launched.
  virtual void synchronize() = 0;
};

}  // namespace mortise
