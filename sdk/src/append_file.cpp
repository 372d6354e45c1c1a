// Growing text files on POSIX calls.
#include "mortise/append_file.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/log.hpp"

namespace mortise {

namespace {

constexpr size_t kGather = 64 * 1024;

[[noreturn]] void fail(std::string_view what, const std::string& path, int reason) {
  const bool full = reason == ENOSPC || reason == EFBIG || reason == EDQUOT;
  throw Error(Code::Io,
              fmt::format("cannot {} {}: {}", what, path, std::strerror(reason)),
              full ? "free some space and start again with --resume" : "");
}

}  // namespace

AppendFile::AppendFile(std::string path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("open", path_, errno);

  struct stat info {};

  if (::fstat(descriptor_, &info) == 0) size_ = info.st_size;
}

AppendFile::~AppendFile() {
  try {
    write_gathered();
  } catch (const Error& error) {
    log::error("{} bytes lost: {}", gathered_.size(), error.message());
  }
  ::close(descriptor_);
}

void AppendFile::append(std::string_view lines) {
  gathered_ += lines;
  if (gathered_.size() >= kGather) write_gathered();
}

void AppendFile::flush() {
  write_gathered();
  if (::fdatasync(descriptor_) != 0 && errno != EINVAL)
    fail("sync", path_, errno);  // EINVAL: a pipe or /dev/null
}

void AppendFile::write_gathered() {
  std::string_view rest = gathered_;
  while (!rest.empty()) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int reason = errno;
      if (::ftruncate(descriptor_, size_) != 0) log::warn("{} may end in half a line", path_);
      fail("write", path_, reason);
    }
    rest.remove_prefix(static_cast<size_t>(written));
  }
  size_ += static_cast<int64_t>(gathered_.size());
  gathered_.clear();
}

void keep_lines(const std::string& path, const std::function<bool(std::string_view line)>& keep) {
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) return;
  std::string kept;
  size_t before = 0;
  {
    const auto file = MappedFile::open(path);
    std::string_view rest = file->text();
    before = rest.size();
    for (size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      if (keep(rest.substr(0, end))) kept += rest.substr(0, end + 1);
      rest.remove_prefix(end + 1);
    }
  }
  if (kept.size() != before) write_file(path, kept);
}

}  // namespace mortise
