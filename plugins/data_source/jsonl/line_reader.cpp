// memchr over a buffer that grows with the longest line.
#include "line_reader.hpp"

#include <cstring>

#include "mortise/error.hpp"

namespace mortise::data_source::jsonl {

LineReader::LineReader(std::unique_ptr<ByteStream> stream,
                       std::string name,
                       int64_t max_line_bytes,
                       size_t capacity)
    : stream_(std::move(stream)),
      name_(std::move(name)),
      max_line_bytes_(max_line_bytes),
      buffer_(capacity + kPadding) {}

bool LineReader::next(Line& line) {
  size_t searched = 0;
  while (true) {
    const char* from = buffer_.data() + begin_;
    if (const void* hit = std::memchr(from + searched, '\n', end_ - begin_ - searched)) {
      line = take(static_cast<size_t>(static_cast<const char*>(hit) - from), 1);
      return true;
    }
    searched = end_ - begin_;
    if (static_cast<int64_t>(searched) > max_line_bytes_)
      throw DataError(
          fmt::format(
              "{}:{}: the line is longer than {} bytes", name_, number_ + 1, max_line_bytes_),
          "raise max_line_bytes, or check that the file holds one JSON object a line");
    if (fill()) continue;
    if (searched == 0) return false;
    line = take(searched, 0);  // the last line has no line end
    return true;
  }
}

Line LineReader::take(size_t length, size_t end_bytes) {
  std::string_view text(buffer_.data() + begin_, length);
  begin_ += length + end_bytes;
  if (offset_ == 0 && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  offset_ += static_cast<int64_t>(length + end_bytes);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return {text, ++number_};
}

bool LineReader::fill() {
  if (is_at_end_) return false;
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (end_ + kPadding == buffer_.size()) buffer_.resize(2 * end_ + 2 * kPadding);
  const size_t got = stream_->read(buffer_.data() + end_, buffer_.size() - kPadding - end_);
  end_ += got;
  is_at_end_ = got == 0;
  return !is_at_end_;
}

void LineReader::seek(int64_t offset, int64_t line_number) {
  stream_->skip_to(offset);
  offset_ = offset;
  number_ = line_number;
}

}  // namespace mortise::data_source::jsonl
