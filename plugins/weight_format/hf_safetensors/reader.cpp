// Opens a folder: headers are checked, index and shards must agree name by name, no tensor is read.
//
// One tensor after another is read, so the pages of the one before are given back: loading needs
// the memory of the model and of one tensor, not of the files too.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <unordered_map>

#include <sys/mman.h>

#include "mortise/json.hpp"
#include "mortise/log.hpp"
#include "mortise/safetensors.hpp"

#include "hf_safetensors.hpp"

namespace mortise::weight_format::hf_safetensors {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFetchHint = "fetch the folder again, or export it again";

class Reader final : public WeightReader {
 public:
  const std::vector<StoredTensor>& tensors() const override { return tensors_; }

  std::span<const std::byte> data(size_t index) const override {
    MORTISE_CHECK(index < places_.size(), "tensor {} of {}", index, places_.size());
    if (const size_t before = last_.exchange(index); before < places_.size() && before != index)
      drop_pages(bytes_of(before));
    return bytes_of(index);
  }

  void add(safetensors::File file) {
    const auto& entries = file.header().entries;
    for (size_t i = 0; i < entries.size(); ++i) {
      tensors_.push_back({entries[i].name, entries[i].dtype, entries[i].shape, entries[i].bytes()});
      places_.push_back({files_.size(), i});
    }
    files_.push_back(std::move(file));
  }

 private:
  struct Place {
    size_t file, entry;
  };

  std::span<const std::byte> bytes_of(size_t index) const {
    const Place& place = places_[index];
    return files_[place.file].data(files_[place.file].header().entries[place.entry]);
  }

  /// The pages of a mapped tensor need not stay in memory: who still reads it gets them again.
  static void drop_pages(std::span<const std::byte> bytes) {
    constexpr uintptr_t kPage = 4096;
    const auto address = reinterpret_cast<uintptr_t>(bytes.data());
    const uintptr_t begin = (address + kPage - 1) / kPage * kPage,
                    end = (address + bytes.size()) / kPage * kPage;
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }

  mutable std::atomic<size_t> last_ = SIZE_MAX;  // what was asked for before
  std::vector<StoredTensor> tensors_;
  std::vector<Place> places_;
  std::vector<safetensors::File> files_;
};

using WeightMap = std::unordered_map<std::string, std::string>;  // tensor → shard

void check_file_name(const std::string& index, const std::string& tensor, const std::string& name) {
  const bool leaves = name.find('/') != std::string::npos || name.find('\\') != std::string::npos ||
                      name.find("..") != std::string::npos || name.find('\0') != std::string::npos;
  if (leaves || name.empty())
    throw DataError(
        fmt::format(
            "{}: tensor \"{}\": the file name \"{}\" is refused: shards stand beside the index, "
            "so / and .. are not allowed",
            index,
            tensor,
            name),
        "use a folder from a source that you trust");
}

WeightMap read_index(const std::string& path) {
  const Value root = parse_json(read_file(path), path);
  const Value* map = root.find("weight_map");
  if (map == nullptr || !map->is_table() || map->as_table().empty())
    throw DataError(
        fmt::format("{}: \"weight_map\" must be an object that names at least one tensor", path),
        kFetchHint);
  WeightMap out;
  for (const auto& [tensor, file] : map->as_table()) {
    if (!file.is_string())
      throw DataError(fmt::format("{}: tensor \"{}\": expected a file name, got {}",
                                  path,
                                  tensor,
                                  kind_name(file.kind())),
                      kFetchHint);
    check_file_name(path, tensor, file.as_string());
    out.emplace(tensor, file.as_string());
  }
  return out;
}

void check_shard(const safetensors::File& file,
                 const std::string& shard,
                 const std::string& path,
                 const std::string& index,
                 const WeightMap& map) {
  for (const auto& entry : file.header().entries) {
    const auto it = map.find(entry.name);
    if (it == map.end())
      throw DataError(
          fmt::format("{}: tensor \"{}\" is not in the index {}", path, entry.name, index),
          kFetchHint);
    if (it->second != shard)
      throw DataError(fmt::format("{}: tensor \"{}\" is here, but {} puts it into {}",
                                  path,
                                  entry.name,
                                  index,
                                  it->second),
                      kFetchHint);
  }
}

std::unique_ptr<WeightReader> open_shards(const fs::path& folder) {
  const std::string index = (folder / kIndexFile).string();
  const WeightMap map = read_index(index);
  std::map<std::string, size_t>
      expected;  // shard → tensors the index puts there; sorted: the order of reading
  for (const auto& [tensor, shard] : map) ++expected[shard];
  auto reader = std::make_unique<Reader>();
  for (const auto& [shard, count] : expected) {
    const std::string path = (folder / shard).string();
    if (!fs::exists(path))
      throw DataError(
          fmt::format(
              "{}: shard {} is missing; the index puts {} tensors into it", index, shard, count),
          kFetchHint);
    auto file = safetensors::File::open(path);
    check_shard(file, shard, path, index, map);
    if (file.header().entries.size() !=
        count) {  // all that are there belong there, so some are missing
      for (const auto& [tensor, where] : map)
        if (where == shard && file.header().find(tensor) == nullptr)
          throw DataError(
              fmt::format("{}: tensor \"{}\" is missing; {} puts it here", path, tensor, index),
              kFetchHint);
    }
    reader->add(std::move(file));
  }
  return reader;
}

}  // namespace

std::unique_ptr<WeightReader> open_folder(const std::string& directory) {
  const fs::path folder(directory);
  const bool has_single = fs::is_regular_file(folder / kSingleFile),
             has_index = fs::is_regular_file(folder / kIndexFile);
  if (has_single && has_index)
    log::warn("a single file and an index stand side by side; the single file is read folder={}",
              directory);
  if (has_single) {
    auto reader = std::make_unique<Reader>();
    reader->add(safetensors::File::open((folder / kSingleFile).string()));
    return reader;
  }
  if (has_index) return open_shards(folder);
  if (!fs::is_directory(folder))
    throw DataError(fmt::format("{} is not a folder", directory), "check the path");
  for (const auto& entry : fs::directory_iterator(folder))
    if (is_shard_name(entry.path().filename().string()))
      throw DataError(
          fmt::format("{}: there are shards but no {}: a save or a download was interrupted",
                      directory,
                      kIndexFile),
          kFetchHint);
  throw DataError(fmt::format("{}: neither {} nor {} is there", directory, kSingleFile, kIndexFile),
                  "name the folder that holds the weights");
}

}  // namespace mortise::weight_format::hf_safetensors
