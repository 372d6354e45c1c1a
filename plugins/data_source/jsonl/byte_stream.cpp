// Plain files by read(2), gzip (any number of members) by zlib, zstd (any number of frames) by
// libzstd.
#include "byte_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "mortise/error.hpp"

namespace mortise::data_source::jsonl {

namespace {

constexpr const char* kDamagedHint = "fetch or compress the file again";

class PlainStream final : public ByteStream {
 public:
  explicit PlainStream(std::string path)
      : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0)
      throw DataError(fmt::format("cannot open {}: {}", path_, std::strerror(errno)),
                      "check the path");
    posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
  }

  ~PlainStream() override { ::close(descriptor_); }

  size_t read(char* out, size_t capacity) override {
    while (true) {
      const ssize_t got = ::read(descriptor_, out, capacity);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR)
        throw Error(Code::Io, fmt::format("cannot read {}: {}", path_, std::strerror(errno)));
    }
  }

  void skip_to(int64_t offset) override {
    struct stat info {};

    if (fstat(descriptor_, &info) != 0 || offset > info.st_size ||
        lseek(descriptor_, offset, SEEK_SET) < 0)
      throw DataError(
          fmt::format("{} has {} bytes, the saved position is {}", path_, info.st_size, offset),
          "the file was changed since the state was saved");
  }

 private:
  std::string path_;
  int descriptor_;
};

class GzipStream final : public ByteStream {
 public:
  explicit GzipStream(std::string path)
      : path_(std::move(path)), file_(gzopen(path_.c_str(), "rbe")) {
    if (file_ == nullptr)
      throw DataError(fmt::format("cannot open {}: {}", path_, std::strerror(errno)),
                      "check the path");
    gzbuffer(file_, 1 << 18);
  }

  ~GzipStream() override { gzclose_r(file_); }

  size_t read(char* out, size_t capacity) override {
    const int got = gzread(file_, out, static_cast<unsigned>(std::min(capacity, size_t{1} << 30)));
    int code = Z_OK;
    const char* reason = gzerror(file_, &code);
    if (got < 0 || code == Z_BUF_ERROR)  // zlib gives what a cut file holds, and this code
      throw DataError(fmt::format("{}: the gzip data are damaged or cut short: {}", path_, reason),
                      kDamagedHint);
    if (got > 0 && gzdirect(file_))
      throw DataError(fmt::format("{} is not gzip data", path_), "rename the file to .jsonl");
    return static_cast<size_t>(got);
  }

 private:
  std::string path_;
  gzFile file_;
};

class ZstdStream final : public ByteStream {
 public:
  explicit ZstdStream(const std::string& path)
      : path_(path), file_(path), context_(ZSTD_createDCtx()), input_(ZSTD_DStreamInSize()) {}

  ~ZstdStream() override { ZSTD_freeDCtx(context_); }

  size_t read(char* out, size_t capacity) override {
    ZSTD_outBuffer target{out, capacity, 0};
    while (target.pos == 0) {
      if (pending_.pos == pending_.size && !is_flushing_) {
        pending_ = {input_.data(), file_.read(input_.data(), input_.size()), 0};
        if (pending_.size == 0) {
          if (need_ != 0)
            throw DataError(fmt::format("{}: the zstd data are cut short", path_), kDamagedHint);
          return 0;
        }
      }
      need_ = ZSTD_decompressStream(context_, &target, &pending_);
      if (ZSTD_isError(need_))
        throw DataError(
            fmt::format("{}: the zstd data are damaged: {}", path_, ZSTD_getErrorName(need_)),
            kDamagedHint);
      is_flushing_ =
          need_ != 0 &&
          target.pos == target.size;  // more may wait inside although the input is used up
    }
    return target.pos;
  }

 private:
  std::string path_;
  PlainStream file_;
  ZSTD_DCtx* context_;
  std::vector<char> input_;
  ZSTD_inBuffer pending_{nullptr, 0, 0};
  size_t need_ = 0;  // 0: at the end of a frame
  bool is_flushing_ = false;
};

}  // namespace

void ByteStream::skip_to(int64_t offset) {
  std::vector<char> waste(1 << 18);
  while (offset > 0) {
    const size_t got = read(waste.data(), static_cast<size_t>(std::min<int64_t>(offset, 1 << 18)));
    if (got == 0)
      throw DataError("the saved position lies behind the end of the file",
                      "the file was changed since the state was saved");
    offset -= static_cast<int64_t>(got);
  }
}

std::unique_ptr<ByteStream> open_stream(const std::string& path) {
  if (path.ends_with(".gz")) return std::make_unique<GzipStream>(path);
  if (path.ends_with(".zst")) return std::make_unique<ZstdStream>(path);
  return std::make_unique<PlainStream>(path);
}

}  // namespace mortise::data_source::jsonl
