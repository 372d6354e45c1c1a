// Records from plain text files.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/data_source.hpp"
#include "mortise/file.hpp"
#include "mortise/schema.hpp"
#include "mortise/source_cursor.hpp"

namespace mortise::data_source::text {

class Text final : public DataSource {
 public:
  struct Config {
    std::string path;
    std::string unit = "paragraph";
    std::string utf8 = "strict";
    static void describe(Schema<Config>& schema);
  };

  Text(Config config, const DataSourceArgs& args);
  bool next(Record& record) override;
  void rewind() override;
  void state(StateIo& io) override;

  std::string fingerprint() const override { return fingerprint_of(files_); }

  DataReport report() const override { return cursor_.report; }

 private:
  struct Unit {
    std::string text;
    int64_t line = 0;  // of its first line, from 1
  };

  bool next_unit(Unit& unit);
  bool read_unit(Unit& unit);
  bool accept(Unit& unit);

  Config config_;
  std::vector<SourceFile> files_;
  SourceCursor cursor_;
  std::shared_ptr<const MappedFile> mapped_;  // the present file; null before its first unit
};

}  // namespace mortise::data_source::text
