// What tests of plugins share: a state in memory, a folder that goes away, a full disk, a sink.
//
// Contract suites use the same MemoryState.  Nothing here needs a test framework.
#pragma once

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/resource.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/state.hpp"
#include "mortise/transform.hpp"

namespace mortise::testing {

/// What a checkpoint would hold of one component.  Saves first; after rewind() it loads.  The plain
/// tier has no tensors.
class MemoryState : public StateIo {
 public:
  bool loading() const override { return loading_; }

  void value(std::string_view name, Value& value) override {
    if (!loading_) {
      if (!values_.emplace(std::string(name), value).second)
        throw DataError(fmt::format("the state {} is named twice", name));
      return;
    }
    const auto it = values_.find(name);
    if (it == values_.end()) throw DataError(fmt::format("the state {} was not saved", name));
    value = it->second;
  }

  void tensor(std::string_view name, at::Tensor&) override {
    throw DataError(fmt::format("the state {} is a tensor in the plain tier", name));
  }

  void rewind() { loading_ = true; }

  bool empty() const { return values_.empty(); }

  /// Puts something else in the place of a saved value: a damaged checkpoint.
  void replace(std::string_view name, Value value) {
    values_.insert_or_assign(std::string(name), std::move(value));
  }

 private:
  std::map<std::string, Value, std::less<>> values_;
  bool loading_ = false;
};

/// A new folder below the system's temporary one.  Owns: the folder and all in it, removed at the
/// end.  Throws: Error{Io}.
class TempDir {
 public:
  TempDir() : path((std::filesystem::temp_directory_path() / "mortise_XXXXXX").string()) {
    if (mkdtemp(path.data()) == nullptr)
      throw Error(Code::Io, fmt::format("cannot make the folder {}", path));
  }

  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string file(std::string_view name) const { return path + "/" + std::string(name); }

  /// Writes a file and the folders above it; returns its path.
  std::string put(std::string_view name, std::string_view text) const {
    const std::string out = file(name);
    std::filesystem::create_directories(std::filesystem::path(out).parent_path());
    write_file(out, text);
    return out;
  }

  std::string path;
};

/// While it lives, no file of this process grows beyond `bytes`: what a full disk looks like to
/// write(2).
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }

  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

/// Keeps what a transform gives.
struct MemorySink final : RecordSink {
  std::vector<Record> kept;
  std::vector<std::string> dropped;  // reasons

  void keep(Record record) override { kept.push_back(std::move(record)); }

  void drop(const Record&, std::string_view reason) override { dropped.emplace_back(reason); }
};

}  // namespace mortise::testing
