// Contract of `device`: a device on which tensors can live, described, with memory figures that
// make sense.
#include "mortise/torch/device.hpp"

#include "suites.hpp"
#include "tools.hpp"

namespace mortise::conform {

namespace {

void holds_tensors(Factory& f) {
  const auto device = make<Device>(f);
  const at::Tensor tensor = at::ones({16}, at::TensorOptions().device(device->device()));
  device->synchronize();
  MORTISE_EXPECT(tensor.sum().item<double>() == 16, "a sum on this device is wrong");
}

void describes_itself(Factory& f) {
  const auto device = make<Device>(f);
  MORTISE_EXPECT(
      !device->description().empty() && device->description().find('\n') == std::string::npos,
      "the description is no sentence");
  MORTISE_EXPECT(device->total_bytes() > 0, "total_bytes() is {}", device->total_bytes());
}

void counts_memory(Factory& f) {
  const auto device = make<Device>(f);
  device->reset_peak();
  const int64_t before = device->memory().current_bytes;
  {
    const at::Tensor tensor = at::ones({1 << 20}, at::TensorOptions().device(device->device()));
    const MemoryStats during = device->memory();
    if (during.peak_bytes == 0) skip("it does not count memory");
    MORTISE_EXPECT(during.current_bytes - before >= 4 << 20,
                   "4 MiB were allocated, {} bytes counted",
                   during.current_bytes - before);
  }
  const MemoryStats after = device->memory();
  MORTISE_EXPECT(after.peak_bytes - before >= 4 << 20, "the peak forgets what was freed");
  MORTISE_EXPECT(after.current_bytes <= before + (1 << 16),
                 "{} bytes stay counted after the tensor died",
                 after.current_bytes - before);
}

}  // namespace

Suite device_suite() {
  return {"device",
          args<Device>,
          {{"holds tensors", holds_tensors},
           {"describes itself", describes_itself},
           {"counts memory", counts_memory}}};
}

}  // namespace mortise::conform
