// Host memory and an unlinked file.
//
// The file is mapped, privately, when bytes come back: clean pages of a file, which the system may
// drop and read again.  Bytes are written with pwrite, so that a full disk is an error and no
// signal.
#include "store.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mortise/error.hpp"

namespace mortise::parallel::offload {

namespace {

constexpr int64_t kPage = 4096;  // regions of the file begin at a page, as a mapping must

class HostStore final : public Store, public std::enable_shared_from_this<HostStore> {
 public:
  std::shared_ptr<Waiting> put(const at::Tensor& bytes_N) override {
    return std::make_shared<Copy>(shared_from_this(), bytes_N);
  }

  int64_t bytes() const override { return bytes_; }

 private:
  struct Copy final : Waiting {
    Copy(std::shared_ptr<HostStore> owner, const at::Tensor& bytes_N) : store(std::move(owner)) {
      const auto options = at::TensorOptions().dtype(at::kByte).pinned_memory(bytes_N.is_cuda());
      held = at::empty(bytes_N.sizes(), options).copy_(bytes_N);
      store->bytes_ += bytes_N.numel();
    }

    ~Copy() override { store->bytes_ -= held.numel(); }

    at::Tensor fetch(at::Device device) override { return held.to(device, at::kByte, false, true); }

    std::shared_ptr<HostStore> store;
    at::Tensor held;
  };

  std::atomic<int64_t> bytes_ = 0;
};

class FileStore final : public Store, public std::enable_shared_from_this<FileStore> {
 public:
  explicit FileStore(std::string folder) : folder_(std::move(folder)) {}

  ~FileStore() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  std::shared_ptr<Waiting> put(const at::Tensor& bytes_N) override {
    const at::Tensor here = bytes_N.to(at::kCPU);
    auto region = std::make_shared<Region>(shared_from_this(), take(here.numel()), here.numel());
    write(here.const_data_ptr<uint8_t>(), region->size, region->offset);
    return std::make_shared<Mapped>(std::move(region));
  }

  int64_t bytes() const override { return bytes_; }

 private:
  /// Part of the file; given back when neither a record nor a mapping needs it.
  struct Region {
    Region(std::shared_ptr<FileStore> owner, int64_t begin, int64_t count)
        : store(std::move(owner)), offset(begin), size(count) {
      store->bytes_ += size;
    }

    ~Region() {
      store->bytes_ -= size;
      store->give_back(offset, size);
    }

    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;

    std::shared_ptr<FileStore> store;
    int64_t offset, size;
  };

  struct Mapped final : Waiting {
    explicit Mapped(std::shared_ptr<Region> place) : region(std::move(place)) {}

    at::Tensor fetch(at::Device device) override {
      const auto length = static_cast<size_t>(region->size);
      void* const memory = ::mmap(nullptr,
                                  length,
                                  PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE,
                                  region->store->descriptor_,
                                  region->offset);
      if (memory == MAP_FAILED) region->store->fail("map", region->size, errno);
      ::madvise(memory, length, MADV_WILLNEED);
      const auto unmap = [kept = region, length](void* begin) { ::munmap(begin, length); };
      return at::from_blob(memory, {region->size}, unmap, at::TensorOptions().dtype(at::kByte))
          .to(device);
    }

    std::shared_ptr<Region> region;
  };

  static int64_t whole_pages(int64_t size) { return (size + kPage - 1) / kPage * kPage; }

  /// The smallest free region that fits, else the end.
  int64_t take(int64_t size) {
    const std::lock_guard lock(mutex_);
    if (descriptor_ < 0) open();
    ++regions_;
    const int64_t wanted = whole_pages(size);
    const auto found = free_.lower_bound(wanted);
    if (found == free_.end()) return std::exchange(end_, end_ + wanted);
    const auto [have, offset] = *found;
    free_.erase(found);
    if (have > wanted) free_.emplace(have - wanted, offset + wanted);
    return offset;
  }

  void give_back(int64_t offset, int64_t size) {
    const std::lock_guard lock(mutex_);
    free_.emplace(whole_pages(size), offset);
    if (--regions_ > 0) return;
    free_.clear();  // the end of a step: one piece again
    end_ = 0;
  }

  void open() {
    std::error_code reason;
    if (folder_.empty()) folder_ = std::filesystem::temp_directory_path(reason).string();
    std::string path = folder_ + "/mortise-activations-XXXXXX";
    descriptor_ = ::mkostemp(path.data(), O_CLOEXEC);
    if (descriptor_ < 0)
      throw Error(Code::Io,
                  fmt::format("cannot make a file for offloaded activations in \"{}\": {}",
                              folder_,
                              std::strerror(errno)),
                  "set `folder` to a folder that exists and may be written to");
    ::unlink(path.c_str());
  }

  void write(const uint8_t* data, int64_t size, int64_t offset) {
    for (int64_t done = 0; done < size;) {
      const ssize_t count =
          ::pwrite(descriptor_, data + done, static_cast<size_t>(size - done), offset + done);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) fail("write", size, count < 0 ? errno : ENOSPC);
      done += count;
    }
  }

  [[noreturn]] void fail(const char* what, int64_t size, int reason) const {
    throw Error(Code::Io,
                fmt::format("cannot {} {} bytes of offloaded activations in \"{}\", where {} wait "
                            "already: {}",
                            what,
                            size,
                            folder_,
                            bytes_.load(),
                            std::strerror(reason)),
                "free some room, set `folder` to a larger disk, or offload less: a larger `every` "
                "or `min_bytes`");
  }

  std::string folder_;
  int descriptor_ = -1;
  int64_t end_ = 0, regions_ = 0;
  std::multimap<int64_t, int64_t> free_;  // size → offset
  std::atomic<int64_t> bytes_ = 0;
  std::mutex mutex_;
};

}  // namespace

std::shared_ptr<Store> make_host_store() { return std::make_shared<HostStore>(); }

std::shared_ptr<Store> make_file_store(const std::string& folder) {
  return std::make_shared<FileStore>(folder);
}

}  // namespace mortise::parallel::offload
