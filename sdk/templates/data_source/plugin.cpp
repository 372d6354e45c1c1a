// @NAME@: the lines of a text file, one record a line.
#include <mortise/data_source.hpp>
#include <mortise/file.hpp>
#include <mortise/layout.hpp>
#include <mortise/plugin.hpp>

struct @CLASS@ final : mortise::DataSource {
  struct Config {
    std::string path;
    static void describe(mortise::Schema<Config>& s) { s.field("path", &Config::path, "the file").required(); }
  };
  @CLASS@(Config config, const mortise::DataSourceArgs& args) : config_(std::move(config)), args_(args), file_(mortise::MappedFile::open(config_.path)) {}

  bool next(mortise::Record& record) override {
    for (; at_ < file_->text().size(); ++line_) {
      const size_t end = std::min(file_->text().find('\n', at_), file_->text().size());
      const std::string_view line = file_->text().substr(at_, end - at_);
      at_ = end + 1;
      if (line_ % args_.num_shards != args_.shard) continue;
      record.id = fmt::format("{}:{}", config_.path, ++line_);
      record.fields = mortise::Value::table();
      record.fields["text"] = line;
      report_.records += 1;
      report_.bytes += static_cast<int64_t>(line.size());
      return true;
    }
    return false;
  }
  void rewind() override { at_ = 0, line_ = 0, report_ = {}; }
  void state(mortise::StateIo& io) override {
    auto at = static_cast<int64_t>(at_);
    io.integer("at", at);
    io.integer("line", line_);
    at_ = static_cast<size_t>(at);
  }
  std::string fingerprint() const override {
    uint64_t hash = 14695981039346656037ull;  // FNV-1a
    for (const char c : file_->text()) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    return fmt::format("{:016x}", hash);
  }
  mortise::DataReport report() const override { return report_; }

  Config config_;
  mortise::DataSourceArgs args_;
  std::shared_ptr<const mortise::MappedFile> file_;
  size_t at_ = 0;
  int64_t line_ = 0;
  mortise::DataReport report_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "the lines of a text file"));
