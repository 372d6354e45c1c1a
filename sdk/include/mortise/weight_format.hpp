// Interface `weight_format`: how named tensors are stored in a directory.  Bytes and shapes only:
// plain tier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/component.hpp"
#include "mortise/dtype.hpp"
#include "mortise/host.hpp"
#include "mortise/layout.hpp"

namespace mortise {

struct StoredTensor {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;
  int64_t bytes = 0;
};

/// An opened directory of weights.   Thread: [any-thread].
class MORTISE_API WeightReader {
 public:
  virtual ~WeightReader();
  virtual const std::vector<StoredTensor>& tensors() const = 0;
  /// The bytes of tensors()[index], row-major, little-endian.  Lifetime: that of the reader.
  virtual std::span<const std::byte> data(size_t index) const = 0;
};

/// Writes a directory.  Order of calls: write once per planned tensor, in order, then commit.
/// Thread: [one thread at a time].
class MORTISE_API WeightWriter {
 public:
  virtual ~WeightWriter();
  virtual void write(std::span<const std::byte> bytes) = 0;
  /// Makes the files appear; before it the directory's old weights are intact.  Throws: Error{Io}.
  virtual void commit() = 0;
};

class MORTISE_API WeightFormat : public Component {
 public:
  using Interface = WeightFormat;
  using Args = NoArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "weight_format/1.0";

  static std::string layout() {
    return layout_fingerprint(
        {MORTISE_COMMON_TYPES, MORTISE_TYPE(StoredTensor), MORTISE_MEMBER(StoredTensor, bytes)});
  }

  /// Says whether the directory holds weights of this format, by file names only.   Thread:
  /// [any-thread], as all calls here.
  virtual bool recognises(const std::string& directory) const = 0;
  /// Opens and checks headers; no tensor is read.  Throws: DataError naming file and tensor.
  virtual std::unique_ptr<WeightReader> open(const std::string& directory) const = 0;
  /// Plans the files for these tensors (shards, index).  Throws: Error{Io}.
  virtual std::unique_ptr<WeightWriter> create(const std::string& directory,
                                               std::vector<StoredTensor> tensors) const = 0;
};

}  // namespace mortise
