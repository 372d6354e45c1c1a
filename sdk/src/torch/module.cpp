// The module tree: registration, walking, moving.
#include "mortise/torch/module.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "mortise/error.hpp"

namespace mortise {

namespace {

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

}  // namespace

Module::~Module() = default;

void Module::walk(const std::string& prefix,
                  const std::function<void(const std::string&, const Module&)>& visitor) const {
  visitor(prefix, *this);
  for (const Child& child : children_) child.module->walk(join(prefix, child.name), visitor);
}

void Module::visit(const std::function<void(const std::string&, Module&)>& visitor) {
  walk("", [&](const std::string& path, const Module& module) {
    visitor(path, const_cast<Module&>(module));
  });
}

std::vector<NamedTensor> Module::tensors() const {
  std::vector<NamedTensor> all;
  walk("", [&](const std::string& path, const Module& module) {
    for (NamedTensor tensor : module.tensors_) {
      tensor.name = join(path, tensor.name);
      if (!tensor.is_buffer || tensor.persistent) all.push_back(std::move(tensor));
    }
  });
  return all;
}

std::vector<NamedTensor> Module::parameters() const {
  std::vector<NamedTensor> all = tensors();
  std::erase_if(all, [](const NamedTensor& tensor) { return tensor.is_buffer; });
  return all;
}

std::vector<std::pair<std::string, std::string>> Module::ties() const {
  std::vector<std::pair<std::string, std::string>> all;
  walk("", [&](const std::string& path, const Module& module) {
    for (const Tie& tie : module.ties_) all.emplace_back(join(path, tie.name), tie.owner_path);
  });
  return all;
}

void Module::train(bool on) {
  visit([on](const std::string&, Module& module) { module.training_ = on; });
}

void Module::to(at::ScalarType dtype, at::Device device) {
  visit([&](const std::string&, Module& module) {
    for (NamedTensor& entry : module.tensors_) {
      const at::ScalarType wanted =
          entry.tensor.is_floating_point() ? dtype : entry.tensor.scalar_type();
      if (entry.tensor.scalar_type() == wanted && entry.tensor.device() == device) continue;
      at::Tensor handle = entry.tensor;
      handle.set_data(entry.tensor.detach().to(device, wanted));
    }
  });
}

at::Tensor Module::add_parameter(std::string name,
                                 at::IntArrayRef shape,
                                 const BuildContext& build,
                                 Init init) {
  check_free(name);
  at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(build.dtype).device(build.device));
  tensor.set_requires_grad(at::isFloatingType(build.dtype));
  tensors_.push_back({std::move(name), tensor, init, /*is_buffer=*/false, /*persistent=*/true});
  return tensor;
}

void Module::adopt_parameter(std::string name, at::Tensor tensor, Init init) {
  check_free(name);
  tensors_.push_back(
      {std::move(name), std::move(tensor), init, /*is_buffer=*/false, /*persistent=*/true});
}

void Module::add_tied(std::string name, at::Tensor tensor, std::string owner_path) {
  check_free(name);
  ties_.push_back({std::move(name), std::move(owner_path), std::move(tensor)});
}

void Module::add_buffer(std::string name, at::Tensor tensor, bool persistent) {
  check_free(name);
  tensors_.push_back(
      {std::move(name), std::move(tensor), Init::zeros(), /*is_buffer=*/true, persistent});
}

void Module::register_child(std::string name, std::shared_ptr<Module> child) {
  check_free(name);
  children_.push_back({std::move(name), std::move(child)});
}

void Module::check_free(const std::string& name) const {
  const auto taken = [&](const auto& list) {
    return std::any_of(
        list.begin(), list.end(), [&](const auto& entry) { return entry.name == name; });
  };
  MORTISE_CHECK(!taken(tensors_) && !taken(ties_) && !taken(children_),
                "the name `{}` is already used in this module",
                name);
}

}  // namespace mortise
