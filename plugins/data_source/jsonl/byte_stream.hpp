// Bytes of a file in order, decompressed when its name ends in .gz or .zst.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace mortise::data_source::jsonl {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// Fills at most `capacity` bytes; 0 at the end.  Throws: DataError on damaged compression,
  /// Error{Io}.
  virtual size_t read(char* out, size_t capacity) = 0;
  /// Goes on at an offset of the decompressed bytes, only forward from the beginning.  Throws:
  /// DataError when it lies behind the end.
  virtual void skip_to(int64_t offset);
};

/// Throws: DataError when the file cannot be opened.
std::unique_ptr<ByteStream> open_stream(const std::string& path);

}  // namespace mortise::data_source::jsonl
