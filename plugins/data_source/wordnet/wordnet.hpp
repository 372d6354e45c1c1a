// Records from the WordNet database.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mortise/data_source.hpp"
#include "mortise/file.hpp"
#include "mortise/schema.hpp"
#include "mortise/source_cursor.hpp"

namespace mortise::data_source::wordnet {

class Wordnet final : public DataSource {
 public:
  struct Config {
    std::string directory = "/usr/share/wordnet";
    std::vector<std::string> pos = {"noun", "verb", "adj", "adv"};
    static void describe(Schema<Config>& schema);
  };

  /// Throws: DataError that names the Debian package when the database is not there.
  Wordnet(Config config, const DataSourceArgs& args);
  bool next(Record& record) override;
  void rewind() override;
  void state(StateIo& io) override;

  std::string fingerprint() const override { return fingerprint_of(files_); }

  DataReport report() const override { return cursor_.report; }

 private:
  bool next_line(std::string_view& line);

  Config config_;
  std::vector<SourceFile> files_;  // one a part of speech
  SourceCursor cursor_;
  std::shared_ptr<const MappedFile> mapped_;  // the present file; null before its first line
};

}  // namespace mortise::data_source::wordnet
