// The safetensors file format: header, every check, mapped data, and an atomic writer.
//
// Layout: u64 little-endian header length (≤ 100,000,000), JSON header padded with spaces to 8,
// then the data. Source: huggingface/safetensors, README and src/tensor.rs.  Shared by checkpoints,
// weight formats and tools.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "mortise/api.hpp"
#include "mortise/dtype.hpp"
#include "mortise/file.hpp"

namespace mortise::safetensors {

struct Entry {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;  // may be empty (a scalar) or hold zeros
  int64_t begin = 0, end = 0;  // byte range within the data section

  int64_t bytes() const { return end - begin; }
};

struct Header {
  std::vector<Entry> entries;  // in order of their data
  std::vector<std::pair<std::string, std::string>> metadata;
  int64_t data_begin = 0;  // offset of the data section in the file
  /// Returns null when there is none.  Linear: build your own index for many look-ups.
  MORTISE_API const Entry* find(std::string_view name) const;
};

/// Parses and checks a header: lengths, JSON, duplicate names, dtypes, sizes, overlaps, holes and
/// the end of the file. `file` is the beginning of the file (at least the header), `file_size` its
/// whole size; `name` names it in errors. Throws: DataError.   Thread: [any-thread].
MORTISE_API Header parse_header(std::span<const std::byte> file,
                                int64_t file_size,
                                std::string_view name);

/// A mapped file.   Thread: [any-thread].
class MORTISE_API File {
 public:
  /// Maps the file and checks its header.  Throws: DataError, Error{Io}.
  static File open(const std::string& path);

  const Header& header() const { return header_; }

  /// The bytes of one tensor.  Lifetime: while mapping() or a copy of it lives.
  std::span<const std::byte> data(const Entry& entry) const;

  const std::shared_ptr<const MappedFile>& mapping() const { return mapping_; }

 private:
  Header header_;
  std::shared_ptr<const MappedFile> mapping_;
};

/// Returns entries sorted as the format wants (alignment descending, then name) with their ranges
/// filled in. Throws: Error on a name that stands twice, a negative extent or a size that
/// overflows.
MORTISE_API std::vector<Entry> lay_out(std::vector<Entry> entries);

/// Writes one file: the constructor writes the header, then each entry is written once, in any
/// order, then commit. Destroyed without commit: nothing appears and an old file stays.   Thread:
/// [one thread at a time].
class MORTISE_API Writer {
 public:
  /// Throws: Error on a name that stands twice or a shape whose size overflows, Error{Io}.
  Writer(std::string path,
         std::vector<Entry> entries,
         std::vector<std::pair<std::string, std::string>> metadata = {{"format", "pt"}});

  const std::vector<Entry>& entries() const { return entries_; }

  /// Writes the first entry of entries() not written yet.  Throws: Error when the size differs,
  /// Error{Io}.
  void write(std::span<const std::byte> bytes);
  /// Writes the entry with this name.  Throws: as above; Error when there is none or it was written
  /// before.
  void write(std::string_view name, std::span<const std::byte> bytes);
  /// Throws: Error when entries are missing, Error{Io}.
  void commit();

 private:
  void write_entry(size_t index, std::span<const std::byte> bytes);

  std::string path_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> index_;  // name → place in entries_
  std::vector<bool> written_;
  int64_t data_begin_ = 0;
  size_t next_ = 0, num_written_ = 0;
  AtomicFile file_;
};

}  // namespace mortise::safetensors
