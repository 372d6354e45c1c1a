// Lines of a byte stream with their numbers and offsets, through one growing buffer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "byte_stream.hpp"

namespace mortise::data_source::jsonl {

struct Line {
  std::string_view text;  // without the line end (\n or \r\n) and a byte order mark; kPadding
                          // readable bytes follow it
  int64_t number = 0;     // from 1
};

class LineReader {
 public:
  static constexpr size_t kPadding = 64;

  /// `capacity` is the first size of the buffer; it grows with the longest line.
  LineReader(std::unique_ptr<ByteStream> stream,
             std::string name,
             int64_t max_line_bytes,
             size_t capacity = 1 << 20);
  /// Reads the next line; false at the end.  Lifetime: the text is valid until the next call.
  /// Throws: DataError on a line longer than allowed, or what the stream throws.
  bool next(Line& line);
  /// Goes to a place told by offset() and line_number() of another reader.  Only before the first
  /// next().
  void seek(int64_t offset, int64_t line_number);

  /// Where the next line begins, in decompressed bytes.
  int64_t offset() const { return offset_; }

  /// The number of the last line read.
  int64_t line_number() const { return number_; }

 private:
  bool fill();
  Line take(size_t length, size_t end_bytes);

  std::unique_ptr<ByteStream> stream_;
  std::string name_;
  int64_t max_line_bytes_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // unread bytes of the buffer
  int64_t offset_ = 0, number_ = 0;
  bool is_at_end_ = false;
};

}  // namespace mortise::data_source::jsonl
