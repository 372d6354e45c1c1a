// Lines of mapped files, gathered into units.  Blank = nothing but Unicode white space.
#include "text.hpp"

#include "mortise/plugin.hpp"
#include "mortise/pytext.hpp"

namespace mortise::data_source::text {

namespace {

bool is_blank(std::string_view line) { return pytext::strip(line).empty(); }

}  // namespace

Text::Text(Config config, const DataSourceArgs& args)
    : config_(std::move(config)),
      files_(list_source_files({config_.path}, {".txt"}, "give it some text")),
      cursor_(args) {}

bool Text::next(Record& record) {
  Unit unit;
  while (next_unit(unit)) {
    if (!cursor_.take() || !accept(unit)) continue;
    const std::string& name = files_[cursor_.file].name;
    record.id = config_.unit == "document" ? name : fmt::format("{}:{}", name, unit.line);
    cursor_.count(unit.text.size());
    record.fields = Value::table();
    record.fields["text"] = std::move(unit.text);
    return true;
  }
  if (cursor_.seen == 0)
    throw DataError(fmt::format("{} holds no text, only blank lines", config_.path),
                    "give it some text");
  return false;
}

bool Text::next_unit(Unit& unit) {
  for (; cursor_.file < files_.size(); cursor_.next_file(), mapped_.reset()) {
    if (!mapped_) mapped_ = MappedFile::open(files_[cursor_.file].path);
    if (read_unit(unit)) return true;
  }
  return false;
}

bool Text::read_unit(Unit& unit) {
  unit.text.clear();
  bool has_text = false;
  for (std::string_view line; cursor_.next_line(mapped_->text(), line);) {
    const bool blank = is_blank(line);
    if (config_.unit == "document") {
      if (cursor_.line == 1)
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
      unit.line = cursor_.line;
    unit.text += line;
    has_text = true;
    if (config_.unit == "line") return true;
  }
  return has_text;
}

// Applies the UTF-8 policy; false: the unit is left out.
bool Text::accept(Unit& unit) {
  if (pytext::is_valid_utf8(unit.text)) return true;
  const std::string place = fmt::format("{}:{}", files_[cursor_.file].path, unit.line);
  auto repaired = repair_or_skip(config_.utf8, unit.text, place, config_.unit, cursor_.report);
  if (!repaired) return false;
  unit.text = std::move(*repaired);
  ++cursor_.report.repaired;
  return true;
}

void Text::rewind() {
  cursor_.rewind();
  mapped_.reset();
}

void Text::state(StateIo& io) {
  cursor_.state(io, files_);
  if (io.loading()) mapped_.reset();
}

void Text::Config::describe(Schema<Config>& schema) {
  schema.field("path", &Config::path, "a text file, or a folder that is searched for .txt files")
      .required();
  schema
      .field("unit",
             &Config::unit,
             "what becomes one record; paragraphs end at a blank line, a document is a whole file")
      .one_of({"line", "paragraph", "document"});
  utf8_field(schema, &Config::utf8, "unit");
}

}  // namespace mortise::data_source::text

MORTISE_PLUGIN("org.mortise.data_source.text",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::data_source::text::Text>(
                   "text", "plain text files, by line, paragraph or document"));
