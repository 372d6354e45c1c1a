// Reads and writes tokenizer.json, the format of the `tokenizers` library (version "1.0").
//
// The vocabulary and the merges of a published tokenizer are megabytes: simdjson reads them in
// milliseconds.  The small sections go through the SDK's own parser, which also gives line and
// column when the text is no JSON at all.  Whatever is not supported is one DataError with its JSON
// path: nothing is skipped in silence.
#include <algorithm>
#include <unordered_set>

#include <simdjson.h>

#include "mortise/error.hpp"
#include "mortise/json.hpp"
#include "mortise/log.hpp"

#include "definition.hpp"

namespace mortise::tokenizer::byte_bpe {

namespace {

namespace dom = simdjson::dom;

constexpr size_t kMaxDepth = 64;
// Ids may have holes, but a file of a hundred bytes may not claim a table of a hundred million
// entries.
constexpr int64_t kMaxHoles = 100'000;

[[noreturn]] void fail(std::string_view path, std::string_view what, std::string hint = {}) {
  throw DataError(fmt::format("{}: {}", path, what), std::move(hint));
}

const char* kind_of(const dom::element& element) {
  switch (element.type()) {
    case dom::element_type::ARRAY:
      return "an array";
    case dom::element_type::OBJECT:
      return "an object";
    case dom::element_type::STRING:
      return "a string";
    case dom::element_type::BOOL:
      return "true or false";
    case dom::element_type::NULL_VALUE:
      return "null";
    default:
      return "a number";
  }
}

std::string_view text_at(const dom::element& element, std::string_view path) {
  std::string_view text;
  if (element.get(text) != simdjson::SUCCESS)
    fail(path, fmt::format("expected a string, got {}", kind_of(element)));
  return text;
}

bool flag_at(const dom::element& element, std::string_view path) {
  bool flag = false;
  if (element.get(flag) != simdjson::SUCCESS)
    fail(path, fmt::format("expected true or false, got {}", kind_of(element)));
  return flag;
}

dom::object object_at(const dom::element& element, std::string_view path) {
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS)
    fail(path, fmt::format("expected an object, got {}", kind_of(element)));
  return object;
}

dom::array array_at(const dom::element& element, std::string_view path) {
  dom::array array;
  if (element.get(array) != simdjson::SUCCESS)
    fail(path, fmt::format("expected an array, got {}", kind_of(element)));
  return array;
}

int32_t id_at(const dom::element& element, std::string_view path) {
  int64_t id = -1;
  if (element.get(id) != simdjson::SUCCESS || id < 0)
    fail(path,
         fmt::format("expected an id (a whole number from 0), got {}",
                     element.is_number() ? simdjson::minify(element) : kind_of(element)));
  if (id > INT32_MAX) fail(path, fmt::format("the id {} is too large", id));
  return static_cast<int32_t>(id);
}

void read_vocab(const dom::element& element, Vocabulary& out) {
  FlatStringMap seen;
  for (const auto& [key, value] : object_at(element, "model.vocab")) {
    if (!seen.insert(key, 0))
      fail("model.vocab", fmt::format("the token \"{}\" stands there twice", key));
    int64_t id = -1;  // the path is made only when it is needed: there are 128,000 of these
    if (value.get(id) != simdjson::SUCCESS || id < 0 || id > INT32_MAX)
      id_at(value, fmt::format("model.vocab[\"{}\"]", key));
    out.tokens.emplace_back(key, static_cast<int32_t>(id));
  }
  if (out.tokens.empty())
    fail("model.vocab",
         "it is empty",
         "a byte-level vocabulary has at least the 256 byte characters");
  std::sort(out.tokens.begin(), out.tokens.end(), [](const auto& a, const auto& b) {
    return a.second < b.second;
  });
  for (size_t i = 1; i < out.tokens.size(); ++i)
    if (out.tokens[i].second == out.tokens[i - 1].second)
      fail("model.vocab",
           fmt::format("the tokens \"{}\" and \"{}\" have the same id {}",
                       out.tokens[i - 1].first,
                       out.tokens[i].first,
                       out.tokens[i].second));
  const auto count = static_cast<int64_t>(out.tokens.size());
  const auto& [last_text, last_id] = out.tokens.back();
  if (last_id >= 2 * count + kMaxHoles)
    fail("model.vocab",
         fmt::format(
             "the token \"{}\" has id {}, but there are only {} tokens", last_text, last_id, count),
         "ids are expected to be nearly contiguous; the file is damaged");
  if (last_id >= count)
    log::warn(
        "model.vocab has holes: {} ids below {} have no token", last_id + 1 - count, last_id + 1);
}

void read_merges(const dom::element& element, Vocabulary& out) {
  const dom::array merges = array_at(element, "model.merges");
  out.merges.reserve(merges.size());
  for (const dom::element merge : merges) {
    const auto path = [&] { return fmt::format("model.merges[{}]", out.merges.size()); };
    std::string_view text;
    dom::array pair;
    if (merge.get(text) == simdjson::SUCCESS) {
      const size_t space = text.find(' ');
      if (space == text.npos || text.find(' ', space + 1) != text.npos)
        fail(path(),
             fmt::format("expected two tokens and one space between them, got \"{}\"", text));
      out.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
    } else if (merge.get(pair) == simdjson::SUCCESS && pair.size() == 2) {
      out.merges.emplace_back(text_at(pair.at(0), path() + "[0]"),
                              text_at(pair.at(1), path() + "[1]"));
    } else {
      fail(path(), fmt::format("expected \"a b\" or [\"a\", \"b\"], got {}", kind_of(merge)));
    }
  }
}

// A parameter of the model that must have the value that does nothing.
void expect_off(const dom::element& value, std::string_view path) {
  std::string_view text;
  bool flag = true;
  double number = 1;
  if (value.is_null() || (value.get(text) == simdjson::SUCCESS && text.empty())) return;
  if (value.get(flag) == simdjson::SUCCESS && !flag) return;
  if (value.get(number) == simdjson::SUCCESS && number == 0) return;
  fail(path,
       fmt::format("{} is not supported", std::string(simdjson::minify(value))),
       "supported: null, false or 0 (byte-level BPE needs none)");
}

void read_model(const dom::element& element, Vocabulary& out) {
  std::unordered_set<std::string_view> keys;
  for (const auto& [key, value] : object_at(element, "model")) {
    const std::string path = fmt::format("model.{}", key);
    if (!keys.insert(key).second) fail(path, "the key stands there twice");
    if (key == "type") {
      if (text_at(value, path) != "BPE")
        fail(path,
             fmt::format("\"{}\" is not supported", text_at(value, path)),
             "supported: \"BPE\"");
    } else if (key == "vocab") {
      read_vocab(value, out);
    } else if (key == "merges") {
      read_merges(value, out);
    } else if (key == "unk_token") {
      if (!value.is_null()) out.unknown = text_at(value, path);
    } else if (key == "ignore_merges") {
      out.ignore_merges = flag_at(value, path);
    } else if (key == "dropout" || key == "continuing_subword_prefix" ||
               key == "end_of_word_suffix" || key == "fuse_unk" || key == "byte_fallback") {
      expect_off(value, path);
    } else {
      fail(path, "unknown key");
    }
  }
  for (const char* key : {"vocab", "merges"})
    if (!keys.contains(key)) fail("model", fmt::format("the key \"{}\" is missing", key));
}

AddedToken read_added(const dom::element& element, const std::string& path) {
  AddedToken token;
  bool has_id = false;
  for (const auto& [key, value] : object_at(element, path)) {
    const std::string place = fmt::format("{}.{}", path, key);
    if (key == "id") {
      token.id = id_at(value, place);
      has_id = true;
    } else if (key == "content") {
      token.content = text_at(value, place);
    } else if (key == "single_word") {
      token.single_word = flag_at(value, place);
    } else if (key == "lstrip") {
      token.lstrip = flag_at(value, place);
    } else if (key == "rstrip") {
      token.rstrip = flag_at(value, place);
    } else if (key == "normalized") {
      token.normalized = flag_at(value, place);
    } else if (key == "special") {
      token.special = flag_at(value, place);
    } else {
      fail(place, "unknown key");
    }
  }
  if (!has_id || token.content.empty())
    fail(path, "an added token needs an \"id\" and a \"content\" that is not empty");
  return token;
}

// The library gives added tokens their ids itself: that of the vocabulary, else the next free one.
// A file with other ids would mean one thing here and another there.
void check_added_ids(const Definition& definition) {
  FlatStringMap known;
  for (const auto& [text, id] : definition.vocabulary.tokens) known.insert(text, id);
  const auto count = static_cast<int32_t>(definition.vocabulary.tokens.size());
  int32_t largest = -1;
  for (size_t i = 0; i < definition.added.size(); ++i) {
    const AddedToken& token = definition.added[i];
    const int32_t* in_vocabulary = known.find(token.content);
    const int32_t expected = in_vocabulary != nullptr ? *in_vocabulary
                             : largest >= count       ? largest + 1
                                                      : count;
    if (token.id != expected)
      fail(fmt::format("added_tokens[{}].id", i),
           fmt::format("\"{}\" has id {}, expected {}", token.content, token.id, expected),
           in_vocabulary != nullptr
               ? "model.vocab has this token with another id"
               : "the ids of added tokens follow the vocabulary without holes");
    if (in_vocabulary == nullptr) known.insert(token.content, expected);
    largest = std::max(largest, expected);
  }
}

Value section_value(const dom::element& element, std::string_view name) {
  const std::string text = simdjson::minify(element);
  return parse_json(text, name);
}

dom::element parse(dom::parser& parser,
                   const simdjson::padded_string& text,
                   const std::string& path) {
  dom::element root;
  simdjson::error_code error = parser.allocate(std::max<size_t>(text.size(), 64), kMaxDepth);
  if (error == simdjson::SUCCESS) error = parser.parse(text).get(root);
  if (error == simdjson::SUCCESS) return root;
  if (error == simdjson::DEPTH_ERROR)
    fail(path, fmt::format("nested deeper than {} levels", kMaxDepth), "this is no tokenizer.json");
  parse_json(std::string_view(text.data(), text.size()), path);  // throws with line and column
  fail(path, simdjson::error_message(error));
}

void read_root(const dom::element& root, Definition& out) {
  std::unordered_set<std::string_view> keys;
  for (const auto& [key, value] : object_at(root, "the document")) {
    if (!keys.insert(key).second) fail(key, "the key stands there twice");
    if (key == "version") {
      if (text_at(value, key) != "1.0")
        fail(
            key, fmt::format("\"{}\" is not supported", text_at(value, key)), "supported: \"1.0\"");
    } else if (key == "truncation" || key == "padding") {
      if (!value.is_null())
        fail(
            key, "a value is not supported", "supported: null; cut and pad where batches are made");
    } else if (key == "added_tokens") {
      for (const dom::element token : array_at(value, key))
        out.added.push_back(read_added(token, fmt::format("added_tokens[{}]", out.added.size())));
    } else if (key == "normalizer") {
      out.normalizer = section_value(value, key);
    } else if (key == "pre_tokenizer") {
      out.pre_tokenizer = section_value(value, key);
    } else if (key == "post_processor") {
      out.post_processor = section_value(value, key);
    } else if (key == "decoder") {
      out.decoder = section_value(value, key);
    } else if (key == "model") {
      read_model(value, out.vocabulary);
    } else {
      fail(key, "unknown key");
    }
  }
  if (!keys.contains("model")) fail("the document", "the key \"model\" is missing");
}

std::string quoted(const std::string& text) { return to_json(Value(text)); }

Value added_value(const AddedToken& token) {
  Value value = Value::table();
  value["id"] = int64_t{token.id};
  value["content"] = token.content;
  value["single_word"] = token.single_word;
  value["lstrip"] = token.lstrip;
  value["rstrip"] = token.rstrip;
  value["normalized"] = token.normalized;
  value["special"] = token.special;
  return value;
}

}  // namespace

Definition read_tokenizer_json(std::string_view text, const std::string& path) {
  try {
    const simdjson::padded_string padded(text);
    dom::parser parser;
    Definition definition;
    read_root(parse(parser, padded, path), definition);
    read_sections(definition);
    check_added_ids(definition);
    return definition;
  } catch (Error& error) {
    error.add_context("while reading " + path);
    throw;
  }
}

std::string write_tokenizer_json(const Definition& definition) {
  std::string out =
      "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  "
      "\"added_tokens\": [";
  std::vector<AddedToken> added = definition.added;
  std::sort(added.begin(), added.end(), [](const AddedToken& a, const AddedToken& b) {
    return a.id < b.id;
  });
  const char* comma = "\n    ";
  for (const AddedToken& token : added) {
    out += comma;
    out += to_json(added_value(token));
    comma = ",\n    ";
  }
  out += fmt::format(
      "\n  ],\n  \"normalizer\": {},\n  \"pre_tokenizer\": {},\n  \"post_processor\": {},\n  "
      "\"decoder\": {},\n",
      to_json(definition.normalizer),
      to_json(definition.pre_tokenizer),
      to_json(definition.post_processor),
      to_json(definition.decoder));
  const Vocabulary& vocabulary = definition.vocabulary;
  out += fmt::format(
      "  \"model\": {{\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": {},\n   "
      " \"continuing_subword_prefix\": null,\n"
      "    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n    \"byte_fallback\": "
      "false,\n    \"ignore_merges\": {},\n    \"vocab\": {{",
      vocabulary.unknown.empty() ? "null" : quoted(vocabulary.unknown),
      vocabulary.ignore_merges);
  comma = "\n      ";
  for (const auto& [token, id] : vocabulary.tokens) {
    fmt::format_to(std::back_inserter(out), "{}{}: {}", comma, quoted(token), id);
    comma = ",\n      ";
  }
  out += "\n    },\n    \"merges\": [";
  comma = "\n      ";
  for (const auto& [left, right] : vocabulary.merges) {
    fmt::format_to(std::back_inserter(out), "{}[{}, {}]", comma, quoted(left), quoted(right));
    comma = ",\n      ";
  }
  return out + "\n    ]\n  }\n}\n";
}

}  // namespace mortise::tokenizer::byte_bpe
