// A text file that only grows, line by line: logs and curves.
//
// Lines gather in memory and reach the file 64 KiB at a time or by flush(), so that logging a step
// costs no system call.  A write that fails half-way (disk full) is cut back: the file always ends
// after a whole append, and what did not fit stays in memory for the next flush.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "mortise/api.hpp"

namespace mortise {

/// Thread: [one thread at a time].
class MORTISE_API AppendFile {
 public:
  /// Opens for appending; creates the file when it is absent.  Throws: Error{Io}.
  explicit AppendFile(std::string path);
  /// Writes what is left; a failure here is logged, because a destructor cannot report it.
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  /// Adds whole lines (with their newline).  Throws: Error{Io} naming path and reason when the
  /// gathered text cannot be written.
  void append(std::string_view lines);
  /// Writes what was gathered and syncs it.  Throws: Error{Io}.
  void flush();

  const std::string& path() const { return path_; }

 private:
  void write_gathered();

  std::string path_;
  std::string gathered_;
  int64_t size_ = 0;  // of the whole appends in the file
  int descriptor_ = -1;
};

/// Keeps the lines of a file that `keep` accepts, atomically; a last line without newline (a torn
/// write) is dropped.  An absent file is an empty one.  Used when a run goes on from an earlier
/// step.  Throws: Error{Io}.
MORTISE_API void keep_lines(const std::string& path,
                            const std::function<bool(std::string_view line)>& keep);

}  // namespace mortise
