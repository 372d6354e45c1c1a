// The source: files in order, lines in order, row k belongs to shard k mod num_shards.
// Rows are counted before they are parsed, so that every shard counts alike whatever it skips.
#include "jsonl.hpp"

#include "mortise/plugin.hpp"

namespace mortise::data_source::jsonl {

namespace {

std::vector<std::string> paths_of(const Value& path) {
  MORTISE_CHECK(path.is_string() || path.is_array(),
                "path: expected a string or an array of strings, got {}",
                kind_name(path.kind()));
  if (path.is_string()) return {path.as_string()};
  std::vector<std::string> out;
  for (const Value& item : path.as_array()) out.push_back(item.as_string());
  return out;
}

}  // namespace

Jsonl::Jsonl(Config config, const DataSourceArgs& args)
    : config_(std::move(config)),
      files_(list_source_files(paths_of(config_.path),
                               {".jsonl", ".jsonl.gz", ".jsonl.zst"},
                               "a JSON Lines file holds one object a line")),
      cursor_(args) {}

void Jsonl::open_reader() {
  const std::string& path = files_[cursor_.file].path;
  reader_.emplace(open_stream(path), path, config_.max_line_bytes);
}

bool Jsonl::next_line(Line& line) {
  for (; cursor_.file < files_.size(); cursor_.next_file(), reader_.reset()) {
    if (!reader_) open_reader();
    if (reader_->next(line)) return true;
  }
  return false;
}

bool Jsonl::next(Record& record) {
  Line line;
  while (next_line(line)) {
    if (line.text.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (!cursor_.take() || !parse(line.text, line.number, record.fields)) continue;
    record.id = fmt::format("{}:{}", files_[cursor_.file].name, line.number);
    cursor_.count(line.text.size());
    return true;
  }
  if (cursor_.seen == 0)
    throw DataError(fmt::format("{} holds no rows, only blank lines", files_.front().path),
                    "a JSON Lines file holds one object a line");
  return false;
}

// Returns false: the row is left out, and counted.
bool Jsonl::parse(std::string_view text, int64_t number, Value& fields) {
  bool is_utf8 = true;
  if (parse_or_skip(text, number, fields, is_utf8)) return true;
  if (is_utf8) return false;
  const std::string place = fmt::format("{}:{}", files_[cursor_.file].path, number);
  auto repaired = repair_or_skip(config_.utf8, text, place, "line", cursor_.report);
  if (!repaired) return false;
  const size_t size = repaired->size();
  repaired->resize(size + LineReader::kPadding);
  if (!parse_or_skip({repaired->data(), size}, number, fields, is_utf8)) return false;
  ++cursor_.report.repaired;
  return true;
}

// Returns false when the row is left out as no JSON object, or is not UTF-8.
bool Jsonl::parse_or_skip(std::string_view text, int64_t number, Value& fields, bool& is_utf8) {
  try {
    is_utf8 = parser_.parse(text, files_[cursor_.file].path, number, fields);
    return is_utf8;
  } catch (const DataError&) {
    if (config_.bad_rows != "skip") throw;
    is_utf8 = true;
    ++cursor_.report.skipped;
    return false;
  }
}

void Jsonl::rewind() {
  cursor_.rewind();
  reader_.reset();
}

void Jsonl::state(StateIo& io) {
  if (!io.loading() && reader_) {
    cursor_.offset = reader_->offset();
    cursor_.line = reader_->line_number();
  }
  cursor_.state(io, files_, /*has_plain_offsets=*/false);
  if (!io.loading()) return;
  reader_.reset();
  if (cursor_.file == files_.size()) return;
  open_reader();
  reader_->seek(cursor_.offset, cursor_.line);
}

void Jsonl::Config::describe(Schema<Config>& schema) {
  schema
      .field("path",
             &Config::path,
             "a .jsonl, .jsonl.gz or .jsonl.zst file, an array of them, or a folder that is "
             "searched for them")
      .required();
  utf8_field(schema, &Config::utf8, "line");
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
