// Reading the fields that hold text (see the header for their order).
#include "mortise/document.hpp"

#include "mortise/error.hpp"
#include "mortise/json.hpp"

namespace mortise {

namespace {

const std::string* text_field(const Record& record, const char* name) {
  const Value* value = record.fields.find(name);
  return value != nullptr && value->is_string() ? &value->as_string() : nullptr;
}

DocumentText read_segments(const Record& record, const Value& list, const char* name) {
  DocumentText document;
  for (const Value& entry : list.as_array()) {
    const Value* text = entry.is_table() ? entry.find("text") : nullptr;
    if (text == nullptr || !text->is_string())
      throw DataError(
          fmt::format("record {}: `{}` is a list of {{text, train}}, and one item is {}",
                      record.id,
                      name,
                      to_json(entry)),
          "let a `chat_template` step make it from messages");
    document.push_back({text->as_string(), entry.get("train", true), entry.get("special", false)});
  }
  return document;
}

DocumentText read_side(const Record& record, const Value& side, const char* name) {
  if (side.is_array()) return read_segments(record, side, name);
  const std::string* prompt = text_field(record, "prompt");
  return {{prompt == nullptr ? "" : *prompt, false}, {side.as_string(), true}};
}

}  // namespace

std::vector<DocumentText> row_documents(const Record& record) {
  const Value *chosen = record.fields.find("chosen"), *rejected = record.fields.find("rejected");
  if (chosen != nullptr && rejected != nullptr)
    return {read_side(record, *chosen, "chosen"), read_side(record, *rejected, "rejected")};
  if (const Value* segments = record.fields.find("segments"))
    return {read_segments(record, *segments, "segments")};
  if (const std::string* text = text_field(record, "text")) return {{{*text}}};
  const std::string *prompt = text_field(record, "prompt"),
                    *response = text_field(record, "response");
  if (prompt != nullptr && response != nullptr) return {{{*prompt, false}, {*response}}};
  std::string keys;
  for (const auto& [key, value] : record.fields.as_table())
    keys += fmt::format("{}{}", keys.empty() ? "" : ", ", key);
  throw DataError(
      fmt::format("record {} has no field `text`, nor `prompt` and `response`; it has: {}",
                  record.id,
                  keys.empty() ? "nothing" : keys),
      "add a step to [data.pipeline] that makes them: `prompt_template` for `text`, "
      "`chat_template` for `messages`");
}

std::string joined(const DocumentText& document, bool trained_only) {
  std::string text;
  for (const Segment& segment : document)
    if (segment.train || !trained_only) text += segment.text;
  return text;
}

}  // namespace mortise
