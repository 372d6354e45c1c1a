// Records from the WordNet database.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mortise/data_source.hpp"
#include "mortise/file.hpp"
#include "mortise/schema.hpp"

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
  std::string fingerprint() const override;

  DataReport report() const override { return report_; }

 private:
  bool next_line(std::string_view& line);

  Config config_;
  DataSourceArgs args_;
  std::vector<std::shared_ptr<const MappedFile>> files_;  // one a part of speech
  size_t file_ = 0;
  int64_t offset_ = 0, line_ = 0;  // where the next line begins, and how many lie before it
  int64_t synsets_ = 0;            // of all shards, so far
  DataReport report_;
};

}  // namespace mortise::data_source::wordnet
