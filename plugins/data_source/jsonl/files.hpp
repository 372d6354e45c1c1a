// Which files a `path` parameter means, and a fingerprint of their content.
#pragma once

#include <string>
#include <vector>

#include "mortise/value.hpp"

namespace mortise::data_source::jsonl {

struct InputFile {
  std::string path;
  std::string
      name;  // stands in record ids: the file name, or the path where two files have the same name
};

/// Lists a file, an array of files, or all .jsonl, .jsonl.gz and .jsonl.zst below a folder in order
/// of their paths. Throws: DataError when one is missing or there is nothing to read; Error on
/// another kind of value.
std::vector<InputFile> list_files(const Value& path);

/// Hashes the bytes of the files in order (XXH3, 128 bits).  Throws: Error{Io}.
std::string fingerprint(const std::vector<InputFile>& files);

}  // namespace mortise::data_source::jsonl
