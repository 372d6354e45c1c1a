// Digests before and after the first steps.
#include "core/engine/train/self_check.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "mortise/digest.hpp"
#include "mortise/error.hpp"
#include "mortise/log.hpp"
#include "mortise/torch/path_set.hpp"

namespace mortise::core {

namespace {

std::string digest_of(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.detach().cpu().contiguous();
  return Digest()
      .add(std::span(static_cast<const std::byte*>(dense.const_data_ptr()),
                     static_cast<size_t>(dense.nbytes())))
      .text();
}

void append(std::string& list, const std::string& name) {
  if (list.size() < 300)
    list += (list.empty() ? "" : ", ") + name;
  else if (!list.ends_with("…"))
    list += ", …";
}

}  // namespace

SelfCheck::SelfCheck(Module& model) {
  std::vector<std::string> routed;
  model.visit([&](const std::string& path, const Module& module) {
    if (dynamic_cast<const PathSet*>(&module) != nullptr) routed.push_back(path + ".");
  });
  for (const NamedTensor& tensor : model.parameters()) {
    const bool may_rest = std::any_of(routed.begin(), routed.end(), [&](const std::string& path) {
      return tensor.name.starts_with(path);
    });
    entries_.push_back({tensor, digest_of(tensor.tensor), may_rest});
  }
}

void SelfCheck::finish(bool exact) const {
  std::string stuck, moved;
  for (const Entry& entry : entries_) {
    const bool changed = digest_of(entry.tensor.tensor) != entry.digest;
    if (entry.tensor.tensor.requires_grad() && !changed && !entry.may_rest)
      append(stuck, entry.tensor.name);
    if (!entry.tensor.tensor.requires_grad() && changed) append(moved, entry.tensor.name);
  }
  if (!moved.empty())
    throw Error(Code::Gate,
                fmt::format("frozen tensors changed in the first {} steps: {}", kSteps, moved),
                "a plugin writes to tensors that are not its own");
  if (stuck.empty() || sum_lr_ == 0) return;
  const std::string message =
      fmt::format("trainable tensors did not move in the first {} steps: {}", kSteps, stuck);
  if (!exact) {
    log::warn("{} (updates may be smaller than the dtype can hold)", message);
    return;
  }
  throw Error(Code::Gate,
              message,
              "no gradient reaches them, or the optimizer skips them: check the blocks and the "
              "optimizer that the recipe names");
}

}  // namespace mortise::core
