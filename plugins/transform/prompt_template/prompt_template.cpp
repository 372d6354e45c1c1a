// The template is taken apart once, in the constructor; apply() only concatenates.
#include "prompt_template.hpp"

#include "mortise/json.hpp"
#include "mortise/plugin.hpp"

namespace mortise::transform::prompt_template {

namespace {

std::string text_of(const Value& value, const std::string& join) {
  if (value.is_string()) return value.as_string();
  if (!value.is_array()) return to_json(value);
  std::string out;
  for (const Value& item : value.as_array()) {
    if (&item != value.as_array().data()) out += join;
    out += text_of(item, join);
  }
  return out;
}

}  // namespace

PromptTemplate::PromptTemplate(Config config) : config_(std::move(config)) { compile(); }

void PromptTemplate::compile() {
  const std::string& text = config_.text;
  std::string plain;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if ((c == '{' || c == '}') && at + 1 < text.size() && text[at + 1] == c) {
      plain += c;
      ++at;
    } else if (c == '{') {
      const size_t end = text.find_first_of("{}", at + 1);
      MORTISE_CHECK(end != std::string::npos && text[end] == '}',
                    "template: the {{ at character {} is not closed; write {{{{ for a brace",
                    at + 1);
      MORTISE_CHECK(end > at + 1, "template: the braces at character {} name no field", at + 1);
      if (!plain.empty()) pieces_.push_back({std::move(plain), false});
      plain.clear();
      pieces_.push_back({text.substr(at + 1, end - at - 1), true});
      at = end;
    } else {
      MORTISE_CHECK(c != '}',
                    "template: the }} at character {} was not opened; write }}}} for a brace",
                    at + 1);
      plain += c;
    }
  }
  if (!plain.empty()) pieces_.push_back({std::move(plain), false});
}

void PromptTemplate::apply(Record record, RecordSink& sink) {
  std::string out;
  for (const Piece& piece : pieces_) {
    if (!piece.is_field) {
      out += piece.text;
      continue;
    }
    const Value* field = record.fields.find(piece.text);
    const bool is_missing = field == nullptr || field->is_null();
    if (is_missing && config_.missing == "drop") return sink.drop(record, "missing_field");
    if (is_missing && config_.missing == "error") {
      std::string names;
      for (const auto& member : record.fields.as_table())
        names += (names.empty() ? "" : ", ") + member.first;
      throw DataError(fmt::format("{}: prompt_template: the field `{}` is missing; there are: {}",
                                  record.id,
                                  piece.text,
                                  names),
                      "correct the template, or set missing = \"empty\" or \"drop\"");
    }
    if (!is_missing) out += text_of(*field, config_.join);
  }
  record.fields[config_.output] = std::move(out);
  sink.keep(std::move(record));
}

void PromptTemplate::Config::describe(Schema<Config>& schema) {
  schema
      .field("template",
             &Config::text,
             "text with {field} for the value of a field; {{ and }} are braces")
      .required();
  schema.field("output", &Config::output, "field that receives the text");
  schema
      .field("missing",
             &Config::missing,
             "when a record lacks a field: stop, write nothing in its place, or drop the record")
      .one_of({"error", "empty", "drop"});
  schema.field("join", &Config::join, "text between the items of an array");
}

}  // namespace mortise::transform::prompt_template

MORTISE_PLUGIN("org.mortise.transform.prompt_template",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::transform::prompt_template::PromptTemplate>(
                   "prompt_template", "a text made of other fields"));
