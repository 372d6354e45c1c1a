// One function saves and loads a component's state: state(StateIo&) names each piece once.
//
// The host implements StateIo twice, for saving and for loading; a name is unique within one
// component. Loading a piece that the file does not hold, or of another shape, is an error.
// Everything in it is restored bit for bit, because a resumed run must equal one that never
// stopped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/api.hpp"
#include "mortise/value.hpp"

namespace at {
class Tensor;  // only named here: the plain tier includes no LibTorch
}

namespace mortise {

/// Thread: [main-thread].  Lifetime: valid for the call of state() only.
class MORTISE_API StateIo {
 public:
  virtual ~StateIo();
  virtual bool loading() const = 0;
  /// Saves, or replaces, one value.  Throws: DataError when loading and the name is absent.
  virtual void value(std::string_view name, Value& value) = 0;
  /// Saves, or copies into, one tensor (same shape and dtype; an undefined tensor stays undefined).
  virtual void tensor(std::string_view name, at::Tensor& tensor) = 0;

  void integer(std::string_view name, int64_t& value);
  void real(std::string_view name, double& value);
  void flag(std::string_view name, bool& value);
  void text(std::string_view name, std::string& value);
  /// A list of tensors, stored as name.0, name.1, …; its length must not change.  (defined in
  /// libmortise_sdk_torch)
  void tensors(std::string_view name, std::vector<at::Tensor>& tensors);
};

}  // namespace mortise
