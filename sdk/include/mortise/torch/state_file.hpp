// State in files: the two sides of StateIo, which gather the state of components and give it back.
//
// Every component gets a prefix ("optimizer"), so a value is "optimizer.step" and a tensor
// "optimizer.m.0".
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mortise/safetensors.hpp"
#include "mortise/state.hpp"

namespace mortise {

/// A named tensor on its way to or from a file.
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Gathers.  Tensors are handles, not copies: write them before they change.
class MORTISE_API StateSaver final : public StateIo {
 public:
  /// What follows is stored under `prefix`.
  void begin(std::string prefix) { prefix_ = std::move(prefix); }

  bool loading() const override { return false; }

  void value(std::string_view name, Value& value) override;
  void tensor(std::string_view name, at::Tensor& tensor) override;
  Value values = Value::table();
  NamedTensors tensors;

 private:
  std::string full(std::string_view name) const;
  std::string prefix_;
};

/// Gives back, into tensors that exist.  Throws: DataError naming what is missing or misshapen.
class MORTISE_API StateLoader final : public StateIo {
 public:
  StateLoader(const Value& values, const safetensors::File& file) : values_(values), file_(file) {}

  void begin(std::string prefix) { prefix_ = std::move(prefix); }

  bool loading() const override { return true; }

  void value(std::string_view name, Value& value) override;
  void tensor(std::string_view name, at::Tensor& tensor) override;

 private:
  const Value& values_;
  const safetensors::File& file_;
  std::string prefix_;
};

/// Writes CPU tensors to one safetensors file, atomically.  Throws: Error{Io}.
MORTISE_API void write_tensors(const std::string& path, const NamedTensors& tensors);
/// Copies one tensor of a file into `target` (same shape and dtype).  Throws: DataError.
MORTISE_API void read_tensor(const safetensors::File& file,
                             const std::string& name,
                             at::Tensor& target);

}  // namespace mortise
