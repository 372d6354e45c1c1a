// Removal comes before composition: a removed character may have kept a letter and its accent
// apart.  White space comes last: composition turns some spaces into others (U+2000 → U+2002), and
// nothing after it makes new ones.  Hence idempotent.
#include "clean.hpp"

#include <algorithm>

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>

#include "mortise/plugin.hpp"
#include "mortise/pytext.hpp"

namespace mortise::transform::clean {

namespace {

bool is_removed(char32_t c) {
  if (c == 0xAD || c == 0x200B || c == 0x2060 || c == 0xFEFF) return true;
  return (c < 0x20 || (c >= 0x7F && c <= 0x9F)) && !pytext::is_space(c);
}

bool is_line_end(char32_t c) {
  return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

std::string without_controls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (!is_removed(pytext::next_code_point(text, at))) out.append(text.substr(begin, at - begin));
  }
  return out;
}

std::string composed(std::string_view text) {
  if (std::all_of(
          text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
    return std::string(text);
  UErrorCode status = U_ZERO_ERROR;
  static const icu::Normalizer2* const nfc =
      icu::Normalizer2::getNFCInstance(status);  // immutable: safe to share
  MORTISE_ASSERT(nfc != nullptr, "ICU has no NFC data");
  std::string out;
  out.reserve(text.size());
  icu::StringByteSink<std::string> sink(&out);
  status = U_ZERO_ERROR;
  nfc->normalizeUTF8(
      0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink, nullptr, status);
  MORTISE_ASSERT(U_SUCCESS(status), "ICU cannot compose: {}", u_errorName(status));
  return out;
}

// Every run of white space becomes one space or, when `keep_lines` and it holds line ends, one or
// two of those.
std::string collapsed(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    char32_t c = pytext::next_code_point(text, at);
    if (!pytext::is_space(c)) {
      out.append(text.substr(begin, at - begin));
      continue;
    }
    int line_ends = 0;
    for (size_t ahead = begin; ahead < text.size(); at = ahead) {
      const char32_t previous = c;
      const size_t here = ahead;
      c = pytext::next_code_point(text, ahead);
      if (!pytext::is_space(c)) break;
      const bool second_half = here > begin && previous == '\r' && c == '\n';
      line_ends += is_line_end(c) && !second_half ? 1 : 0;
    }
    if (!keep_lines || line_ends == 0)
      out += ' ';
    else
      out.append(line_ends > 1 ? "\n\n" : "\n");
  }
  return out;
}

}  // namespace

Clean::Clean(Config config) : config_(std::move(config)) {
  MORTISE_CHECK(!config_.fields.empty(), "fields is empty: name at least one field to clean");
}

std::string Clean::cleaned(std::string_view text) const {
  std::string out = config_.control ? without_controls(text) : std::string(text);
  if (config_.nfc) out = composed(out);
  if (config_.whitespace != "keep") out = collapsed(out, config_.whitespace == "lines");
  return config_.strip ? std::string(pytext::strip(out)) : out;
}

void Clean::apply(Record record, RecordSink& sink) {
  int64_t chars = 0;
  for (const std::string& name : config_.fields) {
    Value* field = record.fields.find(name);
    if (field == nullptr || !field->is_string())
      throw DataError(fmt::format("{}: clean: the field `{}` is {}",
                                  record.id,
                                  name,
                                  field == nullptr ? "missing"
                                                   : fmt::format("not a string but {}",
                                                                 kind_name(field->kind()))),
                      "set fields to those that every record has as text");
    *field = cleaned(field->as_string());
    chars = std::max(chars, pytext::length(field->as_string()));
  }
  if (chars < config_.min_chars) return sink.drop(record, chars == 0 ? "empty" : "too_short");
  if (config_.max_chars > 0 && chars > config_.max_chars) return sink.drop(record, "too_long");
  sink.keep(std::move(record));
}

void Clean::Config::describe(Schema<Config>& schema) {
  schema.field("fields", &Config::fields, "text fields to clean");
  schema.field(
      "control", &Config::control, "remove control and zero-width characters (joiners stay)");
  schema.field("nfc", &Config::nfc, "compose to Unicode NFC");
  schema
      .field("whitespace",
             &Config::whitespace,
             "keep it; collapse runs but keep line ends and one blank line; or collapse every run "
             "to one space")
      .one_of({"keep", "lines", "collapse"});
  schema.field("strip", &Config::strip, "remove white space at both ends");
  schema.field("min_chars", &Config::min_chars, "drop shorter records as `empty` or `too_short`")
      .min(0)
      .unit("characters");
  schema.field("max_chars", &Config::max_chars, "drop longer records as `too_long`; 0: no limit")
      .min(0)
      .unit("characters");
  schema.rule("max_chars == 0 or max_chars >= min_chars", "max_chars must not be below min_chars");
}

}  // namespace mortise::transform::clean

MORTISE_PLUGIN("org.mortise.transform.clean",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::transform::clean::Clean>(
                   "clean", "Unicode NFC, control characters, white space, length limits"));
