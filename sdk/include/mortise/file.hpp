// Files that are whole or absent: read-only mappings, and writes that appear by one rename.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "mortise/api.hpp"

namespace mortise {

/// A file mapped read-only.  Shared: spans into it stay valid while a shared_ptr lives.   Thread:
/// [any-thread].
class MORTISE_API MappedFile {
 public:
  /// Throws: Error{Io} with the reason of the system.
  static std::shared_ptr<const MappedFile> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }

  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

  const std::string& path() const { return path_; }

 private:
  MappedFile() = default;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::string path_;
};

/// A file being written under a temporary name in the same directory; commit() syncs and renames
/// it. Destroyed without commit: the temporary file is removed and the old file stays.   Thread:
/// [one thread at a time].
class MORTISE_API AtomicFile {
 public:
  /// Throws: Error{Io}.
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  /// Appends.  Throws: Error{Io} naming path and reason ("no space left on device").
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Writes at an offset from the beginning of the file; appending writes go on where they were.
  /// Throws: as write.
  void write_at(int64_t offset, std::span<const std::byte> bytes);
  /// fdatasync, rename, fsync of the directory.  Throws: Error{Io}.
  void commit();

 private:
  std::string path_, temporary_;
  int descriptor_ = -1;
};

/// Reads a whole file.  Throws: Error{Io}; DataError when it is larger than `limit` bytes.
MORTISE_API std::string read_file(const std::string& path, int64_t limit = int64_t{1} << 30);
/// Writes a whole file atomically.  Throws: Error{Io}.
MORTISE_API void write_file(const std::string& path, std::string_view text);

}  // namespace mortise
