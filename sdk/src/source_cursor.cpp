// Files, places and policies of data sources.
#include "mortise/source_cursor.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#include "mortise/digest.hpp"
#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/pytext.hpp"

namespace mortise {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

void add_folder(const fs::path& folder,
                const std::vector<std::string>& endings,
                std::vector<SourceFile>& out) {
  const auto is_wanted = [&](const std::string& name) {
    return std::any_of(
        endings.begin(), endings.end(), [&](const auto& end) { return name.ends_with(end); });
  };
  const size_t before = out.size();
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && is_wanted(entry.path().filename().string()))
      out.push_back(
          {entry.path().string(), entry.path().lexically_relative(folder).generic_string()});
  if (out.size() == before)
    throw DataError(
        fmt::format("the folder {} holds no {} file", folder.string(), fmt::join(endings, " or ")),
        "check the path");
  std::sort(out.begin() + static_cast<std::ptrdiff_t>(before),
            out.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.name < b.name; });
}

size_t first_invalid(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (pytext::next_code_point(text, at) == 0xFFFD && at - begin == 1) return begin;
  }
  return 0;
}

}  // namespace

std::vector<SourceFile> list_source_files(const std::vector<std::string>& paths,
                                          const std::vector<std::string>& endings,
                                          std::string_view content) {
  std::vector<SourceFile> out;
  for (const std::string& path : paths) {
    if (path.empty() || !fs::exists(path))
      throw DataError(fmt::format("{} does not exist", path.empty() ? "the empty path" : path),
                      "check the path; relative ones start at the working directory");
    if (fs::is_directory(path))
      add_folder(path, endings, out);
    else
      out.push_back({path, fs::path(path).filename().string()});
  }
  if (out.empty())
    throw DataError("path is an empty array",
                    fmt::format("name at least one {} file", fmt::join(endings, " or ")));
  std::map<std::string, int> uses;
  for (const SourceFile& file : out) ++uses[file.name];
  for (SourceFile& file : out)
    if (uses[file.name] > 1) file.name = file.path;  // ids must be unique
  if (std::all_of(out.begin(), out.end(), [](const SourceFile& file) {
        return fs::file_size(file.path) == 0;
      }))
    throw DataError(
        fmt::format("{} is empty{}",
                    out.front().path,
                    out.size() > 1 ? fmt::format(", as are {} more files", out.size() - 1) : ""),
        std::string(content));
  return out;
}

std::string fingerprint_of(const std::vector<SourceFile>& files) {
  Digest all;
  for (const SourceFile& file : files) all.add(file_digest(file.path));
  return "xxh3:" + all.text();
}

SourceCursor::SourceCursor(const DataSourceArgs& share) : args(share) {
  MORTISE_CHECK(args.num_shards > 0 && args.shard >= 0 && args.shard < args.num_shards,
                "shard {} of {}",
                args.shard,
                args.num_shards);
}

bool SourceCursor::next_line(std::string_view text, std::string_view& out) {
  const auto begin = static_cast<size_t>(offset);
  if (begin >= text.size()) return false;
  const size_t end = std::min(text.find('\n', begin), text.size());
  out = text.substr(begin, end - begin);
  if (begin == 0 && out.starts_with(kByteOrderMark)) out.remove_prefix(kByteOrderMark.size());
  if (out.ends_with('\r')) out.remove_suffix(1);
  offset = static_cast<int64_t>(std::min(end + 1, text.size()));
  ++line;
  return true;
}

void SourceCursor::next_file() {
  ++file;
  offset = line = 0;
}

void SourceCursor::rewind() {
  file = 0;
  offset = line = seen = 0;
  report = {};
}

void SourceCursor::state(StateIo& io,
                         const std::vector<SourceFile>& files,
                         bool has_plain_offsets) {
  auto saved = static_cast<int64_t>(file);
  const auto num_files = static_cast<int64_t>(files.size());
  io.integer("file", saved);
  io.integer("offset", offset);
  io.integer("line", line);
  io.integer("seen", seen);
  io.integer("records", report.records);
  io.integer("bytes", report.bytes);
  io.integer("skipped", report.skipped);
  io.integer("repaired", report.repaired);
  if (!io.loading()) return;
  const bool is_listed =
      saved >= 0 && offset >= 0 && (saved < num_files || (saved == num_files && offset == 0));
  if (!is_listed ||
      (has_plain_offsets && saved < num_files &&
       offset > static_cast<int64_t>(fs::file_size(files[static_cast<size_t>(saved)].path))))
    throw DataError(
        fmt::format("the saved position, byte {} of file {} of {}, is not there",
                    offset,
                    saved + 1,
                    num_files),
        "the files, or the parameters that choose them, were changed since the state was saved");
  file = static_cast<size_t>(saved);
}

std::optional<std::string> repair_or_skip(std::string_view policy,
                                          std::string_view text,
                                          std::string_view place,
                                          std::string_view unit,
                                          DataReport& report) {
  if (policy == "replace") return pytext::repair_utf8(text);
  if (policy == "skip") {
    ++report.skipped;
    return std::nullopt;
  }
  const size_t at = first_invalid(text);
  throw DataError(fmt::format("{}: not UTF-8: byte {} of the {} is 0x{:02x}",
                              place,
                              at + 1,
                              unit,
                              static_cast<unsigned char>(text[at])),
                  "convert the file, or set utf8 = \"replace\" or \"skip\"");
}

}  // namespace mortise
