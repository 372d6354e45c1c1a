// Records from JSON Lines files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mortise/data_source.hpp"
#include "mortise/schema.hpp"
#include "mortise/source_cursor.hpp"

#include "line_reader.hpp"
#include "row_parser.hpp"

namespace mortise::data_source::jsonl {

class Jsonl final : public DataSource {
 public:
  struct Config {
    Value path;
    std::string utf8 = "strict";
    std::string bad_rows = "strict";
    int64_t max_line_bytes = int64_t{256} << 20;
    static void describe(Schema<Config>& schema);
  };

  Jsonl(Config config, const DataSourceArgs& args);
  bool next(Record& record) override;
  void rewind() override;
  void state(StateIo& io) override;

  std::string fingerprint() const override { return fingerprint_of(files_); }

  DataReport report() const override { return cursor_.report; }

 private:
  bool next_line(Line& line);
  bool read_row(const Line& line, Record& record);
  bool parse(std::string_view text, int64_t number, Value& fields);
  bool parse_or_skip(std::string_view text, int64_t number, Value& fields, bool& is_utf8);
  void open_reader();

  Config config_;
  std::vector<SourceFile> files_;
  SourceCursor cursor_;
  RowParser parser_;
  std::optional<LineReader> reader_;  // of the present file; absent before its first line
};

}  // namespace mortise::data_source::jsonl
