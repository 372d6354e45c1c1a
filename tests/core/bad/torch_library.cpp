// Operators registered while the library is opened: c10::Error from a static constructor, which
// nobody can catch.  BAD_REGISTER_OPERATORS: by the older interface, without the macro
// TORCH_LIBRARY; else a second TORCH_LIBRARY of one namespace.
#include <torch/library.h>
#if defined(BAD_REGISTER_OPERATORS)
#include <ATen/core/op_registration/op_registration.h>
#endif

#include "mortise/plugin.hpp"
#include "mortise/torch/device.hpp"

#if defined(BAD_REGISTER_OPERATORS)
static const auto kRegistered = c10::RegisterOperators().op(
    "aten::relu(Tensor self) -> Tensor",
    c10::RegisterOperators::options().catchAllKernel([](const at::Tensor& x) { return x; }));
#else
TORCH_LIBRARY(aten, library) { library.def("mortise_test_operator(Tensor x) -> Tensor"); }
#endif

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
