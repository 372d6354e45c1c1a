// StateIo over a table of values and a safetensors file.
#include "mortise/torch/state_file.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "mortise/error.hpp"
#include "mortise/torch/tensor_rules.hpp"

namespace mortise {

namespace {

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()),
          static_cast<size_t>(tensor.nbytes())};
}

}  // namespace

std::string StateSaver::full(std::string_view name) const {
  return fmt::format("{}.{}", prefix_, name);
}

void StateSaver::value(std::string_view name, Value& value) {
  const std::string key = full(name);
  MORTISE_CHECK(values.find(key) == nullptr, "the state `{}` is saved twice", key);
  values[key] = value;
}

void StateSaver::tensor(std::string_view name, at::Tensor& tensor) {
  if (tensor.defined())
    tensors.emplace_back(full(name), tensor);
  else
    values[full(name)] = "undefined";
}

void StateLoader::value(std::string_view name, Value& value) {
  const std::string key = fmt::format("{}.{}", prefix_, name);
  const Value* found = values_.find(key);
  if (found == nullptr)
    throw DataError(fmt::format("the checkpoint holds no state `{}`", key),
                    "it was written by another version of the plugin; start a new run");
  value = *found;
}

void StateLoader::tensor(std::string_view name, at::Tensor& tensor) {
  const std::string key = fmt::format("{}.{}", prefix_, name);
  if (!tensor.defined() && values_.find(key) != nullptr) return;
  read_tensor(file_, key, tensor);
}

void write_tensors(const std::string& path, const NamedTensors& tensors) {
  std::vector<safetensors::Entry> entries;
  for (const auto& [name, tensor] : tensors) {
    safetensors::Entry entry;
    entry.name = name;
    entry.dtype = file_dtype(tensor.scalar_type());
    entry.shape = tensor.sizes().vec();
    entries.push_back(std::move(entry));
  }
  safetensors::Writer writer(path, std::move(entries));
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor dense = tensor.detach().cpu().contiguous();  // no copy when it is already so
    writer.write(name, bytes_of(dense));
  }
  writer.commit();
}

void read_tensor(const safetensors::File& file, const std::string& name, at::Tensor& target) {
  const safetensors::Entry* entry = file.header().find(name);
  if (entry == nullptr) throw DataError(fmt::format("the checkpoint holds no tensor `{}`", name));
  MORTISE_ASSERT(target.defined(), "tensor {} is undefined here and defined in the file", name);
  if (entry->dtype != file_dtype(target.scalar_type()) ||
      at::IntArrayRef(entry->shape) != target.sizes())
    throw DataError(fmt::format("tensor `{}` is {} [{}] in the checkpoint and {} [{}] here",
                                name,
                                dtype_name(entry->dtype),
                                fmt::join(entry->shape, ", "),
                                dtype_name(file_dtype(target.scalar_type())),
                                fmt::join(target.sizes().vec(), ", ")));
  const auto bytes = file.data(*entry);
  const at::Tensor stored = at::from_blob(
      const_cast<std::byte*>(bytes.data()), entry->shape, target.options().requires_grad(false));
  at::NoGradGuard no_grad;
  target.copy_(stored);
}

}  // namespace mortise
