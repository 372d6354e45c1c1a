// A second TORCH_LIBRARY of one namespace: c10::Error from a static constructor, which nobody can
// catch.
#include <torch/library.h>

#include "mortise/plugin.hpp"
#include "mortise/torch/device.hpp"

TORCH_LIBRARY(aten, library) { library.def("mortise_test_operator(Tensor x) -> Tensor"); }

struct Nowhere final : mortise::Device {
  at::Device device() const override { return at::kCPU; }

  std::string description() const override { return "nowhere"; }

  int64_t total_bytes() const override { return 1; }

  mortise::MemoryStats memory() const override { return {}; }

  void reset_peak() override {}

  void synchronize() override {}
};

MORTISE_PLUGIN("org.bad.device",
               "1.0.0",
               "MIT",
               mortise::component<Nowhere>("nowhere", "registers operators too early"));
