// Saving by one rename, keeping the newest, verifying on load.
#include "core/engine/checkpoint/checkpoint.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

#include "mortise/digest.hpp"
#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/log.hpp"

namespace mortise::core {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kFormat = 1;
constexpr const char* kFiles[] = {"model.safetensors", "optim.safetensors", "state.json"};

[[noreturn]] void fail(std::string_view what,
                       const std::string& path,
                       const std::error_code& reason) {
  throw Error(Code::Io, fmt::format("cannot {} {}: {}", what, path, reason.message()));
}

/// A folder that is removed unless it was renamed.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {
    std::error_code reason;
    fs::remove_all(path_, reason);
    if (!fs::create_directories(path_, reason)) fail("create", path_, reason);
  }

  ~TemporaryFolder() {
    std::error_code ignored;  // a leftover is removed by the next save
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

  void rename_to(const std::string& target) {
    std::error_code reason;
    fs::remove_all(target, reason);  // a resumed run may write the same step again
    fs::rename(path_, target, reason);
    if (reason) fail("rename a checkpoint to", target, reason);
    path_.clear();
  }

 private:
  std::string path_;
};

void sync_folder(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

Value manifest_of(const std::string& folder, int64_t step) {
  Value manifest = Value::table();
  manifest["format"] = kFormat;
  manifest["step"] = step;
  Value files = Value::table();
  for (const char* name : kFiles) {
    const std::string path = folder + "/" + name;
    files[name]["bytes"] = static_cast<int64_t>(fs::file_size(path));
    files[name]["xxh3"] = file_digest(path);
  }
  manifest["files"] = files;
  return manifest;
}

std::optional<int64_t> step_of(const std::string& name) {
  if (!name.starts_with("step-")) return std::nullopt;
  int64_t step = 0;
  const auto [end, error] = std::from_chars(name.data() + 5, name.data() + name.size(), step);
  return error == std::errc() && end == name.data() + name.size() ? std::optional(step)
                                                                  : std::nullopt;
}

std::string verified(const std::string& folder) {
  if (!fs::exists(folder + "/manifest.json"))
    throw DataError(fmt::format("{} is no checkpoint: it has no manifest.json", folder),
                    "give the run directory, or one of its ckpt/step-N");
  const Value manifest =
      parse_json(read_file(folder + "/manifest.json"), folder + "/manifest.json");
  if (manifest.get("format", 0) != kFormat)
    throw DataError(fmt::format("{}: checkpoint format {}; this version reads {}",
                                folder,
                                manifest.get("format", 0),
                                kFormat));
  for (const auto& [name, facts] : manifest.at("files").as_table()) {
    const std::string path = folder + "/" + name;
    std::error_code reason;
    const auto size = static_cast<int64_t>(fs::file_size(path, reason));
    if (reason) throw DataError(fmt::format("{}: {}", path, reason.message()));
    if (size != facts.get("bytes", int64_t{-1}))
      throw DataError(
          fmt::format(
              "{} has {} bytes; its manifest says {}", path, size, facts.get("bytes", int64_t{-1})),
          "resume from an earlier ckpt/step-N");
    if (file_digest(path) != facts.get("xxh3", ""))
      throw DataError(fmt::format("{} was changed since it was written", path),
                      "resume from an earlier ckpt/step-N");
  }
  return folder;
}

}  // namespace

void CheckpointFolder::save(const CheckpointContent& content, int64_t keep) const {
  const std::string name = fmt::format("step-{}", content.step);
  try {
    TemporaryFolder temporary(fmt::format("{}/.{}.tmp", folder_, name));
    write_tensors(temporary.path() + "/model.safetensors", content.model);
    write_tensors(temporary.path() + "/optim.safetensors", content.optim);
    write_file(temporary.path() + "/state.json", to_json(content.state, 1) + "\n");
    write_file(temporary.path() + "/manifest.json",
               to_json(manifest_of(temporary.path(), content.step), 1) + "\n");
    sync_folder(temporary.path());
    temporary.rename_to(folder_ + "/" + name);
    sync_folder(folder_);
    write_file(folder_ + "/latest", name + "\n");
  } catch (Error& error) {
    const auto last = latest();
    error.add_context(fmt::format("while saving the checkpoint of step {}; the last good one is {}",
                                  content.step,
                                  last ? *last : "none"));
    throw;
  }
  std::vector<int64_t> all = steps();
  std::erase(all, content.step);  // the new one stays, also when a resumed run went back
  for (size_t i = 0; i + static_cast<size_t>(std::max<int64_t>(1, keep)) - 1 < all.size(); ++i) {
    std::error_code reason;
    fs::remove_all(fmt::format("{}/step-{}", folder_, all[i]), reason);
    if (reason)
      log::warn(
          "an old checkpoint could not be removed step={} reason={}", all[i], reason.message());
  }
}

std::vector<int64_t> CheckpointFolder::steps() const {
  std::vector<int64_t> found;
  std::error_code reason;
  for (const auto& entry : fs::directory_iterator(folder_, reason))
    if (const auto step = step_of(entry.path().filename().string());
        step && fs::exists(entry.path() / "manifest.json"))
      found.push_back(*step);
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<std::string> CheckpointFolder::latest() const {
  if (fs::exists(folder_ + "/latest")) {
    std::string name = read_file(folder_ + "/latest");
    while (!name.empty() && name.back() == '\n') name.pop_back();
    if (step_of(name) && fs::exists(folder_ + "/" + name + "/manifest.json"))
      return folder_ + "/" + name;
  }
  const std::vector<int64_t> all = steps();
  return all.empty() ? std::nullopt : std::optional(fmt::format("{}/step-{}", folder_, all.back()));
}

CheckpointReader::CheckpointReader(const std::string& folder)
    : folder_(verified(folder)),
      state_(parse_json(read_file(folder + "/state.json"), folder + "/state.json")),
      model_(safetensors::File::open(folder + "/model.safetensors")),
      optim_(safetensors::File::open(folder + "/optim.safetensors")) {}

}  // namespace mortise::core
