// Records from plain text files.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mortise/data_source.hpp"
#include "mortise/file.hpp"
#include "mortise/schema.hpp"

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
  std::string fingerprint() const override;

  DataReport report() const override { return report_; }

 private:
  struct InputFile {
    std::string path, name;
  };

  struct Unit {
    std::string text;
    int64_t line = 0;  // of its first line, from 1
  };

  void list_files();
  bool next_unit(Unit& unit);
  bool next_line(std::string_view& line);
  bool read_unit(Unit& unit);
  bool accept(Unit& unit);

  Config config_;
  DataSourceArgs args_;
  std::vector<InputFile> files_;
  std::shared_ptr<const MappedFile> mapped_;  // files_[file_]; null before its first unit
  size_t file_ = 0;
  int64_t offset_ = 0, line_ = 0;  // where the next line begins, and how many lie before it
  int64_t units_ = 0;              // of all shards, so far
  DataReport report_;
};

}  // namespace mortise::data_source::text
