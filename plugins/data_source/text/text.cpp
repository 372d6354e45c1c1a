// Lines of mapped files, gathered into units.  Blank = nothing but Unicode white space.
#include "text.hpp"

#include <algorithm>
#include <filesystem>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "mortise/plugin.hpp"
#include "mortise/pytext.hpp"

namespace mortise::data_source::text {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_blank(std::string_view line) { return pytext::strip(line).empty(); }

}  // namespace

Text::Text(Config config, const DataSourceArgs& args) : config_(std::move(config)), args_(args) {
  MORTISE_CHECK(args.num_shards > 0 && args.shard >= 0 && args.shard < args.num_shards,
                "shard {} of {}",
                args.shard,
                args.num_shards);
  list_files();
}

void Text::list_files() {
  const fs::path root(config_.path);
  if (config_.path.empty() || !fs::exists(root))
    throw DataError(
        fmt::format("{} does not exist", config_.path.empty() ? "the empty path" : config_.path),
        "check the path; relative ones start at the working directory");
  if (fs::is_directory(root)) {
    for (const auto& entry : fs::recursive_directory_iterator(root))
      if (entry.is_regular_file() && entry.path().extension() == ".txt")
        files_.push_back(
            {entry.path().string(), entry.path().lexically_relative(root).generic_string()});
    if (files_.empty())
      throw DataError(fmt::format("the folder {} holds no .txt file", config_.path),
                      "check the path");
    std::sort(files_.begin(), files_.end(), [](const InputFile& a, const InputFile& b) {
      return a.name < b.name;
    });
  } else {
    files_.push_back({config_.path, root.filename().string()});
  }
  if (std::all_of(files_.begin(), files_.end(), [](const InputFile& file) {
        return fs::file_size(file.path) == 0;
      }))
    throw DataError(fmt::format("{} is empty", config_.path), "give it some text");
}

bool Text::next(Record& record) {
  Unit unit;
  while (next_unit(unit)) {
    const bool is_mine = units_++ % args_.num_shards == args_.shard;
    if (!is_mine || !accept(unit)) continue;
    const std::string& name = files_[file_].name;
    record.id = config_.unit == "document" ? name : fmt::format("{}:{}", name, unit.line);
    ++report_.records;
    report_.bytes += static_cast<int64_t>(unit.text.size());
    record.fields = Value::table();
    record.fields["text"] = std::move(unit.text);
    return true;
  }
  if (units_ == 0)
    throw DataError(fmt::format("{} holds no text, only blank lines", config_.path),
                    "give it some text");
  return false;
}

bool Text::next_unit(Unit& unit) {
  for (; file_ < files_.size(); ++file_, mapped_.reset(), offset_ = 0, line_ = 0) {
    if (!mapped_) mapped_ = MappedFile::open(files_[file_].path);
    if (read_unit(unit)) return true;
  }
  return false;
}

bool Text::next_line(std::string_view& line) {
  const std::string_view text = mapped_->text();
  const auto begin = static_cast<size_t>(offset_);
  if (begin >= text.size()) return false;
  const size_t end = std::min(text.find('\n', begin), text.size());
  line = text.substr(begin, end - begin);
  if (begin == 0 && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  if (line.ends_with('\r')) line.remove_suffix(1);
  offset_ = static_cast<int64_t>(std::min(end + 1, text.size()));
  ++line_;
  return true;
}

bool Text::read_unit(Unit& unit) {
  unit.text.clear();
  bool has_text = false;
  for (std::string_view line; next_line(line);) {
    const bool blank = is_blank(line);
    if (config_.unit == "document") {
      if (line_ == 1)
        unit.line = 1;
      else
        unit.text += '\n';
      unit.text += line;
      has_text |= !blank;
      continue;
    }
    if (blank && has_text) return true;
    if (blank) continue;
    if (has_text)
      unit.text += '\n';
    else
      unit.line = line_;
    unit.text += line;
    has_text = true;
    if (config_.unit == "line") return true;
  }
  return has_text;
}

// Applies the UTF-8 policy; false: the unit is left out.
bool Text::accept(Unit& unit) {
  if (pytext::is_valid_utf8(unit.text)) return true;
  if (config_.utf8 == "strict")
    throw DataError(fmt::format("{}:{}: the {} that begins here is not UTF-8",
                                files_[file_].path,
                                unit.line,
                                config_.unit),
                    "convert the file, or set utf8 = \"replace\" or \"skip\"");
  if (config_.utf8 == "skip") {
    ++report_.skipped;
    return false;
  }
  unit.text = pytext::repair_utf8(unit.text);
  ++report_.repaired;
  return true;
}

void Text::rewind() {
  file_ = 0;
  offset_ = line_ = units_ = 0;
  mapped_.reset();
  report_ = {};
}

void Text::state(StateIo& io) {
  auto file = static_cast<int64_t>(file_);
  io.integer("file", file);
  io.integer("offset", offset_);
  io.integer("line", line_);
  io.integer("units", units_);
  io.integer("records", report_.records);
  io.integer("bytes", report_.bytes);
  io.integer("skipped", report_.skipped);
  io.integer("repaired", report_.repaired);
  if (!io.loading()) return;
  mapped_.reset();
  const bool fits =
      file >= 0 && file <= static_cast<int64_t>(files_.size()) && offset_ >= 0 &&
      (file == static_cast<int64_t>(files_.size()) ||
       offset_ <= static_cast<int64_t>(fs::file_size(files_[static_cast<size_t>(file)].path)));
  if (!fits)
    throw DataError(fmt::format("{}: the saved position, byte {} of file {}, is not there",
                                config_.path,
                                offset_,
                                file),
                    "files were changed since the state was saved");
  file_ = static_cast<size_t>(file);
}

std::string Text::fingerprint() const {
  std::string digests;
  for (const InputFile& file : files_) {
    const auto mapped = MappedFile::open(file.path);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical,
                             XXH3_128bits(mapped->bytes().data(), mapped->bytes().size()));
    digests.append(reinterpret_cast<const char*>(canonical.digest), sizeof canonical.digest);
  }
  const XXH128_hash_t all = XXH3_128bits(digests.data(), digests.size());
  return fmt::format("xxh3:{:016x}{:016x}", all.high64, all.low64);
}

void Text::Config::describe(Schema<Config>& schema) {
  schema.field("path", &Config::path, "a text file, or a folder that is searched for .txt files")
      .required();
  schema
      .field("unit",
             &Config::unit,
             "what becomes one record; paragraphs end at a blank line, a document is a whole file")
      .one_of({"line", "paragraph", "document"});
  schema
      .field("utf8",
             &Config::utf8,
             "what to do with a unit that is not UTF-8: stop, put U+FFFD in place of bad bytes, or "
             "leave it out")
      .one_of({"strict", "replace", "skip"});
}

}  // namespace mortise::data_source::text

MORTISE_PLUGIN("org.mortise.data_source.text",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::data_source::text::Text>(
                   "text", "plain text files, by line, paragraph or document"));
