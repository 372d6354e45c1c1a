// Writes a folder so that at every moment it holds the old weights, the new ones, or is refused as
// incomplete.
//
// Order: every shard written and synced as NAME.new → the index written to its temporary file →
// (only when an old index uses the same shard names: that index removed) → shards renamed → index
// renamed → what the old save left is removed.
#include <algorithm>
#include <filesystem>
#include <set>
#include <unordered_set>

#include "mortise/json.hpp"
#include "mortise/safetensors.hpp"

#include "hf_safetensors.hpp"

namespace mortise::weight_format::hf_safetensors {

namespace fs = std::filesystem;

namespace {

struct Shard {
  std::string name;
  std::vector<safetensors::Entry> entries;  // in the order in which the caller writes them
};

// Fills one shard after another in the caller's order, as huggingface_hub does.
std::vector<Shard> plan_shards(const std::vector<StoredTensor>& tensors, int64_t max_bytes) {
  std::vector<Shard> shards(1);
  int64_t size = 0;
  for (const StoredTensor& tensor : tensors) {
    if (!shards.back().entries.empty() && tensor.bytes > max_bytes - size) {
      shards.emplace_back();
      size = 0;
    }
    shards.back().entries.push_back({tensor.name, tensor.dtype, tensor.shape, 0, 0});
    size += tensor.bytes;
  }
  for (size_t i = 0; i < shards.size(); ++i)
    shards[i].name = shards.size() == 1
                         ? kSingleFile
                         : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
  return shards;
}

std::string index_json(const std::vector<Shard>& shards, int64_t total_bytes) {
  Value::Table map;
  for (const Shard& shard : shards)
    for (const auto& entry : shard.entries) map.emplace_back(entry.name, shard.name);
  std::sort(map.begin(), map.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  Value root;
  root["metadata"]["total_size"] = total_bytes;
  root["weight_map"] = std::move(map);
  return to_json(root, 2) + "\n";
}

void rename_file(const std::string& from, const std::string& to) {
  std::error_code reason;
  fs::rename(from, to, reason);
  if (reason)
    throw Error(Code::Io, fmt::format("cannot rename {} to {}: {}", from, to, reason.message()));
}

class Writer final : public WeightWriter {
 public:
  Writer(std::string directory, const std::vector<StoredTensor>& tensors, int64_t max_shard_bytes)
      : folder_(std::move(directory)), shards_(plan_shards(tensors, max_shard_bytes)) {
    std::unordered_set<std::string> names;
    for (const StoredTensor& tensor : tensors) {
      MORTISE_CHECK(names.insert(tensor.name).second,
                    "{}: tensor \"{}\" stands twice",
                    folder_.string(),
                    tensor.name);
      total_bytes_ += tensor.bytes;
    }
    std::error_code reason;
    fs::create_directories(folder_, reason);
    if (reason)
      throw Error(Code::Io,
                  fmt::format("cannot create {}: {}", folder_.string(), reason.message()));
    open_shard();
  }

  ~Writer() override {
    file_.reset();
    std::error_code ignored;
    for (const Shard& shard : shards_) fs::remove(staged(shard.name), ignored);
  }

  void write(std::span<const std::byte> bytes) override {
    MORTISE_CHECK(shard_ < shards_.size() && next_ < shards_[shard_].entries.size(),
                  "{}: more tensors are written than were planned",
                  folder_.string());
    file_->write(shards_[shard_].entries[next_].name, bytes);
    if (++next_ < shards_[shard_].entries.size()) return;
    close_shard();
    if (shard_ < shards_.size()) open_shard();
  }

  void commit() override {
    if (shard_ == 0 && shards_.size() == 1 && shards_[0].entries.empty())
      close_shard();  // a model without tensors
    MORTISE_CHECK(
        shard_ == shards_.size(), "{}: some planned tensors were not written", folder_.string());
    const bool sharded = shards_.size() > 1;
    if (sharded) {
      AtomicFile index(path(kIndexFile));
      index.write(index_json(shards_, total_bytes_));
      if (fs::exists(path(shards_[0].name)))
        fs::remove(path(kIndexFile));  // never an old index over new shards
      for (const Shard& shard : shards_) rename_file(staged(shard.name), path(shard.name));
      index.commit();
    } else {
      rename_file(staged(kSingleFile), path(kSingleFile));
    }
    remove_stale(sharded);
  }

 private:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::string staged(const std::string& name) const { return path(name) + ".new"; }

  void open_shard() {
    file_ = std::make_unique<safetensors::Writer>(staged(shards_[shard_].name),
                                                  shards_[shard_].entries);
    next_ = 0;
  }

  void close_shard() {
    file_->commit();
    file_.reset();
    ++shard_;
  }

  // Removes what an older save left.  Files of other names are not ours.
  void remove_stale(bool sharded) {
    std::set<std::string> keep;
    for (const Shard& shard : shards_) keep.insert(shard.name);
    fs::remove(path(sharded ? kSingleFile : kIndexFile));
    std::vector<fs::path> stale;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      const std::string name = entry.path().filename().string();
      if (is_shard_name(name) && !keep.contains(name)) stale.push_back(entry.path());
    }
    for (const fs::path& file : stale) fs::remove(file);
  }

  fs::path folder_;
  std::vector<Shard> shards_;
  int64_t total_bytes_ = 0;
  size_t shard_ = 0, next_ = 0;  // the tensor that comes next: shards_[shard_].entries[next_]
  std::unique_ptr<safetensors::Writer> file_;
};

}  // namespace

std::unique_ptr<WeightWriter> create_folder(const std::string& directory,
                                            std::vector<StoredTensor> tensors,
                                            int64_t max_shard_bytes) {
  return std::make_unique<Writer>(directory, tensors, max_shard_bytes);
}

}  // namespace mortise::weight_format::hf_safetensors
