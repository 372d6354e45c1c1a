// Records from JSON Lines files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mortise/data_source.hpp"
#include "mortise/schema.hpp"

#include "files.hpp"
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

  std::string fingerprint() const override { return jsonl::fingerprint(files_); }

  DataReport report() const override { return report_; }

 private:
  bool next_line(Line& line);
  bool read_row(const Line& line, Record& record);
  bool parse(const Line& line, Value& fields);
  bool skip_or_throw(const std::string& policy, const DataError& error);

  Config config_;
  DataSourceArgs args_;
  std::vector<InputFile> files_;
  RowParser parser_;
  std::optional<LineReader> reader_;  // of files_[file_]; absent before its first line
  size_t file_ = 0;
  int64_t rows_ = 0;  // of all shards, so far
  DataReport report_;
};

}  // namespace mortise::data_source::jsonl
