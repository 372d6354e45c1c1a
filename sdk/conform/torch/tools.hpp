// What the tensor suites share: seeded tensors, closeness, a gradient check, filled modules, a
// state in memory.
#pragma once

#include <functional>
#include <map>

#include <ATen/ATen.h>

#include "mortise/conform.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/torch/block.hpp"

namespace mortise::conform {

constexpr int64_t kWidth = 32, kHeadDim = 8, kVocab = 50;

/// Standard normal numbers that depend on the seed and the shape only.
at::Tensor randn(at::IntArrayRef shape, uint64_t seed, at::ScalarType dtype = at::kFloat);
/// Gives every parameter small random values (norm weights end up near 1).
void fill(Module& module, uint64_t seed);
/// Fails with the largest difference.
void expect_close(const at::Tensor& actual,
                  const at::Tensor& expected,
                  double tolerance,
                  const std::string& what);
void expect_equal_bits(const at::Tensor& actual,
                       const at::Tensor& expected,
                       const std::string& what);
void expect_finite(const at::Tensor& tensor, const std::string& what);
/// Compares the gradient of sum(w · f(x)) with central differences at a few elements; x is double.
void expect_gradient(const std::function<at::Tensor(const at::Tensor&)>& f,
                     const at::Tensor& x,
                     const std::string& what);

/// Parameter names and shapes, for comparing two instances.
std::vector<std::string> signature_of(const Module& module);

/// A block input of B rows and T tokens, one document a row.
BlockInput plain_input(const at::Tensor& x_BTD);
/// One row that holds documents of these lengths.
BlockInput packed_input(const at::Tensor& x_1TD, const std::vector<int64_t>& lengths);

/// A checkpoint in memory, with tensors.
class TensorState final : public testing::MemoryState {
 public:
  void tensor(std::string_view name, at::Tensor& tensor) override;

 private:
  std::map<std::string, at::Tensor, std::less<>> tensors_;
};

/// Args with the width of the suites; specialised for each interface in its file.
template <class Interface>
typename Interface::Args block_args(const BuildContext& build);

template <class Interface>
const void* example_block_args(Factory&) {
  static const typename Interface::Args instance = block_args<Interface>({});
  return &instance;
}

template <class Interface>
std::unique_ptr<Interface> filled(Factory& f, const BuildContext& build = {}) {
  auto block = make<Interface>(f, block_args<Interface>(build));
  fill(*block, f.seed());
  return block;
}

/// Checks that hold for every block.
template <class Interface>
void names_are_stable(Factory& f) {
  const auto one = make<Interface>(f, block_args<Interface>({})),
             two = make<Interface>(f, block_args<Interface>({}));
  MORTISE_EXPECT(signature_of(*one) == signature_of(*two), "two instances have other parameters");
}

template <class Interface>
void builds_on_meta(Factory& f) {
  BuildContext build;
  build.device = at::kMeta;
  const auto block = make<Interface>(f, block_args<Interface>(build));
  for (const NamedTensor& named : block->parameters())
    MORTISE_EXPECT(
        named.tensor.is_meta(),
        "{} is allocated although the meta device was asked for: plan could not count it",
        named.name);
}

template <class Interface>
void follows_dtype(Factory& f) {
  BuildContext build;
  build.dtype = at::kBFloat16;
  const auto block = make<Interface>(f, block_args<Interface>(build));
  for (const NamedTensor& named : block->parameters())
    MORTISE_EXPECT(named.tensor.scalar_type() == at::kBFloat16,
                   "{} is not of the dtype that was asked for",
                   named.name);
}

template <class Interface>
std::vector<Check> with_block_checks(std::vector<Check> checks) {
  checks.push_back({"its parameters have stable names", names_are_stable<Interface>});
  checks.push_back({"builds on the meta device without allocating", builds_on_meta<Interface>});
  checks.push_back({"its parameters have the dtype asked for", follows_dtype<Interface>});
  return checks;
}

}  // namespace mortise::conform
