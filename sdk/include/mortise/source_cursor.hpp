// What every data source of files needs: which files, where the reader is, what is its share, what
// to do with bad UTF-8, and what the content is called.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/api.hpp"
#include "mortise/data_source.hpp"
#include "mortise/schema.hpp"

namespace mortise {

struct SourceFile {
  std::string path;
  std::string name;  // stands in record ids: the file name, relative below a listed folder, or the
                     // path where two files have the same name
};

/// Lists files, and all files with one of `endings` below folders in order of their names.
/// `content` says what they should hold, for the hint.
/// Throws: DataError when one is missing, a folder holds none, or all are empty.
MORTISE_API std::vector<SourceFile> list_source_files(const std::vector<std::string>& paths,
                                                      const std::vector<std::string>& endings,
                                                      std::string_view content);

/// Hashes the bytes of the files in order (XXH3, 128 bits).  Throws: Error{Io}.
MORTISE_API std::string fingerprint_of(const std::vector<SourceFile>& files);

/// Where a reader is in its list of files, and what it has counted.  Thread: [one thread at a
/// time].
struct MORTISE_API SourceCursor {
  /// Throws: Error when there is no such shard.
  explicit SourceCursor(const DataSourceArgs& args);

  /// Counts one more record of all shards; true when it belongs to this one.  Call it before the
  /// record is parsed, so that every shard counts alike whatever it skips.
  bool take() { return seen++ % args.num_shards == args.shard; }

  /// Counts a record that next() returns.
  void count(size_t bytes) {
    ++report.records;
    report.bytes += static_cast<int64_t>(bytes);
  }

  /// Reads the next line of `text`, the whole of the present file, without its line end (\n or
  /// \r\n) and without a byte order mark; false at the end.
  bool next_line(std::string_view text, std::string_view& line);
  /// Goes to the beginning of the next file.
  void next_file();
  /// Goes to the beginning of the first file; counts from zero.
  void rewind();
  /// Saves or restores it.  Throws: DataError when the saved place is not in `files`, or beyond the
  /// end of one that `has_plain_offsets` (not compressed).
  void state(StateIo& io, const std::vector<SourceFile>& files, bool has_plain_offsets = true);

  DataSourceArgs args;
  size_t file = 0;               // equals the number of files at the end
  int64_t offset = 0, line = 0;  // where the next line begins, and how many lie before it
  int64_t seen = 0;              // records of all shards, so far
  DataReport report;
};

/// Applies the policy of utf8_field() to `text`, which is not valid: returns it repaired, or
/// nothing when it is to be left out (and counts that).  `place` is "file:line", `unit` what it is
/// called.  Throws: DataError in the policy "strict".
MORTISE_API std::optional<std::string> repair_or_skip(std::string_view policy,
                                                      std::string_view text,
                                                      std::string_view place,
                                                      std::string_view unit,
                                                      DataReport& report);

/// Declares the parameter `utf8`, alike in all sources.
template <class Config>
void utf8_field(Schema<Config>& schema, std::string Config::*member, std::string_view unit) {
  schema
      .field("utf8",
             member,
             fmt::format("what to do with a {} that is not UTF-8: stop, put U+FFFD in place of bad "
                         "bytes, or leave it out",
                         unit))
      .one_of({"strict", "replace", "skip"});
}

}  // namespace mortise
