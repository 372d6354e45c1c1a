// Where activations wait.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <ATen/core/Tensor.h>

namespace mortise::parallel::offload {

/// Bytes that wait.   Thread: [any-thread].
class Waiting {
 public:
  virtual ~Waiting() = default;
  /// Brings them back, as bytes on `device`.  Lifetime: the tensor may outlive this object.
  virtual at::Tensor fetch(at::Device device) = 0;
};

/// Where they wait.   Thread: [any-thread].
class Store {
 public:
  virtual ~Store() = default;
  /// Shapes: bytes_N (uint8).  Throws: Error{Io} when there is no room.
  virtual std::shared_ptr<Waiting> put(const at::Tensor& bytes_N) = 0;
  /// Bytes that wait now.
  virtual int64_t bytes() const = 0;
};

/// Memory of the host, pinned where the bytes come from another device.
std::shared_ptr<Store> make_host_store();
/// An unlinked file in `folder` (empty: where temporary files go), made at the first put.
std::shared_ptr<Store> make_file_store(const std::string& folder);

}  // namespace mortise::parallel::offload
