// One line of JSON → a table.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "mortise/value.hpp"

namespace mortise::data_source::jsonl {

class RowParser {
 public:
  RowParser();
  ~RowParser();
  /// Parses one object.  Requires: LineReader::kPadding readable bytes behind `line`.
  /// Returns false when the bytes are not UTF-8.  Throws: DataError "name:number:column: …".
  bool parse(std::string_view line, std::string_view name, int64_t number, Value& row);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mortise::data_source::jsonl
