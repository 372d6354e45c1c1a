// The source: files in order, lines in order, row k belongs to shard k mod num_shards.
// Rows are counted before they are parsed, so that every shard counts alike whatever it skips.
#include "jsonl.hpp"

#include "mortise/plugin.hpp"
#include "mortise/pytext.hpp"

namespace mortise::data_source::jsonl {

namespace {

size_t first_invalid(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (pytext::next_code_point(text, at) == 0xFFFD && at - begin == 1) return begin;
  }
  return 0;
}

}  // namespace

Jsonl::Jsonl(Config config, const DataSourceArgs& args)
    : config_(std::move(config)), args_(args), files_(list_files(config_.path)) {
  MORTISE_CHECK(args.num_shards > 0 && args.shard >= 0 && args.shard < args.num_shards,
                "shard {} of {}",
                args.shard,
                args.num_shards);
}

bool Jsonl::next_line(Line& line) {
  for (; file_ < files_.size(); ++file_, reader_.reset()) {
    if (!reader_)
      reader_.emplace(open_stream(files_[file_].path), files_[file_].path, config_.max_line_bytes);
    if (reader_->next(line)) return true;
  }
  return false;
}

bool Jsonl::next(Record& record) {
  Line line;
  while (next_line(line)) {
    if (line.text.find_first_not_of(" \t") == std::string_view::npos) continue;
    const bool is_mine = rows_++ % args_.num_shards == args_.shard;
    if (is_mine && read_row(line, record)) return true;
  }
  if (rows_ == 0)
    throw DataError(fmt::format("{} holds no rows, only blank lines", files_.front().path),
                    "a JSON Lines file holds one object a line");
  return false;
}

bool Jsonl::read_row(const Line& line, Record& record) {
  if (!parse(line, record.fields)) {
    ++report_.skipped;
    return false;
  }
  record.id = fmt::format("{}:{}", files_[file_].name, line.number);
  ++report_.records;
  report_.bytes += static_cast<int64_t>(line.text.size());
  return true;
}

bool Jsonl::parse(const Line& line, Value& fields) {
  const std::string& name = files_[file_].path;
  try {
    if (parser_.parse(line.text, name, line.number, fields)) return true;
  } catch (const DataError& error) {
    return skip_or_throw(config_.bad_rows, error);
  }
  if (config_.utf8 != "replace") {
    const size_t at = first_invalid(line.text);
    const auto byte = static_cast<unsigned char>(line.text[at]);
    return skip_or_throw(config_.utf8,
                         DataError(fmt::format("{}:{}: not UTF-8: byte {} of the line is 0x{:02x}",
                                               name,
                                               line.number,
                                               at + 1,
                                               byte),
                                   "convert the file, or set utf8 = \"replace\" or \"skip\""));
  }
  std::string repaired = pytext::repair_utf8(line.text);
  const size_t size = repaired.size();
  repaired.resize(size + LineReader::kPadding);
  try {
    parser_.parse({repaired.data(), size}, name, line.number, fields);
  } catch (const DataError& error) {
    return skip_or_throw(config_.bad_rows, error);
  }
  ++report_.repaired;
  return true;
}

// Returns false: the row is left out.
bool Jsonl::skip_or_throw(const std::string& policy, const DataError& error) {
  if (policy != "skip") throw error;
  return false;
}

void Jsonl::rewind() {
  file_ = 0;
  rows_ = 0;
  reader_.reset();
  report_ = {};
}

void Jsonl::state(StateIo& io) {
  auto file = static_cast<int64_t>(file_);
  int64_t offset = reader_ ? reader_->offset() : 0, line = reader_ ? reader_->line_number() : 0;
  io.integer("file", file);
  io.integer("offset", offset);
  io.integer("line", line);
  io.integer("rows", rows_);
  io.integer("records", report_.records);
  io.integer("bytes", report_.bytes);
  io.integer("skipped", report_.skipped);
  io.integer("repaired", report_.repaired);
  if (!io.loading()) return;
  if (file < 0 || file > static_cast<int64_t>(files_.size()) || offset < 0)
    throw DataError(fmt::format("the saved position is in file {} of {}", file, files_.size()),
                    "files were removed since the state was saved");
  file_ = static_cast<size_t>(file);
  reader_.reset();
  if (file_ == files_.size()) return;
  reader_.emplace(open_stream(files_[file_].path), files_[file_].path, config_.max_line_bytes);
  reader_->seek(offset, line);
}

void Jsonl::Config::describe(Schema<Config>& schema) {
  schema
      .field("path",
             &Config::path,
             "a .jsonl, .jsonl.gz or .jsonl.zst file, an array of them, or a folder that is "
             "searched for them")
      .required();
  schema
      .field("utf8",
             &Config::utf8,
             "what to do with a line that is not UTF-8: stop, put U+FFFD in place of bad bytes, or "
             "leave it out")
      .one_of({"strict", "replace", "skip"});
  schema
      .field("bad_rows",
             &Config::bad_rows,
             "what to do with a line that is not a JSON object: stop, or leave it out and count it")
      .one_of({"strict", "skip"});
  schema
      .field("max_line_bytes",
             &Config::max_line_bytes,
             "a longer line stops the run: the file is hardly JSON Lines")
      .min(1)
      .unit("bytes");
}

}  // namespace mortise::data_source::jsonl

MORTISE_PLUGIN("org.mortise.data_source.jsonl",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::data_source::jsonl::Jsonl>(
                   "jsonl", "JSON Lines files, plain, gzip or zstd"));
