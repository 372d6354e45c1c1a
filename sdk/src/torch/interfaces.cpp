// Out-of-line destructors of the tensor interfaces, and small helpers of norms, optimizers and
// state.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include "mortise/state.hpp"
#include "mortise/torch/device.hpp"
#include "mortise/torch/norm.hpp"
#include "mortise/torch/objective.hpp"
#include "mortise/torch/optimizer.hpp"

namespace mortise {

Objective::~Objective() = default;
ext::SampleScores::~SampleScores() = default;
Optimizer::~Optimizer() = default;
Device::~Device() = default;
ext::AddNorm::~AddNorm() = default;

std::pair<at::Tensor, at::Tensor> add_and_norm(Norm& norm,
                                               const at::Tensor& x,
                                               const at::Tensor& part) {
  if (auto* joined = query<ext::AddNorm>(norm)) return joined->add_forward(x, part);
  const at::Tensor sum = x + part;
  return {sum, norm.forward(sum)};
}

std::vector<at::Tensor> zeros_like(const Slots& slots) {
  std::vector<at::Tensor> tensors;
  for (const Slot& slot : slots)
    tensors.push_back(at::zeros(slot.param.sizes(), slot.param.options().dtype(at::kFloat)));
  return tensors;
}

void StateIo::tensors(std::string_view name, std::vector<at::Tensor>& list) {
  for (size_t i = 0; i < list.size(); ++i) tensor(fmt::format("{}.{}", name, i), list[i]);
}

}  // namespace mortise
