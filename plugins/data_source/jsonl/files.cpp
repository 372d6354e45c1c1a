// Paths → files → fingerprint.
#include "files.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"

namespace mortise::data_source::jsonl {

namespace fs = std::filesystem;

namespace {

bool is_jsonl(const std::string& name) {
  return name.ends_with(".jsonl") || name.ends_with(".jsonl.gz") || name.ends_with(".jsonl.zst");
}

void add_folder(const fs::path& folder, std::vector<InputFile>& out) {
  const size_t before = out.size();
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && is_jsonl(entry.path().filename().string()))
      out.push_back(
          {entry.path().string(), entry.path().lexically_relative(folder).generic_string()});
  if (out.size() == before)
    throw DataError(
        fmt::format("the folder {} holds no .jsonl, .jsonl.gz or .jsonl.zst file", folder.string()),
        "check the path");
  std::sort(out.begin() + static_cast<std::ptrdiff_t>(before),
            out.end(),
            [](const InputFile& a, const InputFile& b) { return a.name < b.name; });
}

void add_path(const std::string& path, std::vector<InputFile>& out) {
  if (path.empty()) throw DataError("path is empty", "name a .jsonl file or a folder of them");
  if (fs::is_directory(path)) return add_folder(path, out);
  if (!fs::exists(path))
    throw DataError(fmt::format("{} does not exist", path),
                    "check the path; relative ones start at the working directory");
  out.push_back({path, fs::path(path).filename().string()});
}

}  // namespace

std::vector<InputFile> list_files(const Value& path) {
  std::vector<InputFile> out;
  MORTISE_CHECK(path.is_string() || path.is_array(),
                "path: expected a string or an array of strings, got {}",
                kind_name(path.kind()));
  if (path.is_string())
    add_path(path.as_string(), out);
  else
    for (const Value& item : path.as_array()) add_path(item.as_string(), out);
  if (out.empty()) throw DataError("path is an empty array", "name at least one .jsonl file");
  std::map<std::string, int> uses;
  for (const InputFile& file : out) ++uses[file.name];
  for (InputFile& file : out)
    if (uses[file.name] > 1) file.name = file.path;  // ids must be unique
  if (std::all_of(out.begin(), out.end(), [](const InputFile& file) {
        return fs::file_size(file.path) == 0;
      }))
    throw DataError(
        fmt::format("{} is empty{}",
                    out.front().path,
                    out.size() > 1 ? fmt::format(", as are {} more files", out.size() - 1) : ""),
        "a JSON Lines file holds one object a line");
  return out;
}

std::string fingerprint(const std::vector<InputFile>& files) {
  std::string digests;
  for (const InputFile& file : files) {
    const auto mapped = MappedFile::open(file.path);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical,
                             XXH3_128bits(mapped->bytes().data(), mapped->bytes().size()));
    digests.append(reinterpret_cast<const char*>(canonical.digest), sizeof canonical.digest);
  }
  const XXH128_hash_t all = XXH3_128bits(digests.data(), digests.size());
  return fmt::format("xxh3:{:016x}{:016x}", all.high64, all.low64);
}

}  // namespace mortise::data_source::jsonl
