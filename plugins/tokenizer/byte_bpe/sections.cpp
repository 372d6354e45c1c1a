// The small sections of tokenizer.json: normalizer, pre_tokenizer, post_processor and decoder, from
// tree to typed rules.
//
// Supported is what byte-level BPE tokenizers use; the rest is refused by name.
#include <algorithm>
#include <initializer_list>

#include "mortise/error.hpp"

#include "definition.hpp"

namespace mortise::tokenizer::byte_bpe {

namespace {

[[noreturn]] void fail(std::string_view path, std::string_view what, std::string hint = {}) {
  throw DataError(fmt::format("{}: {}", path, what), std::move(hint));
}

// A JSON object with its path, which checks kinds and keys as it is read.
class Section {
 public:
  Section(const Value& value, std::string path) : value_(value), path_(std::move(path)) {
    if (!value.is_table()) fail(path_, "expected an object");
  }

  const std::string& path() const { return path_; }

  std::string path(std::string_view key) const { return fmt::format("{}.{}", path_, key); }

  const Value& value() const { return value_; }

  const Value& at(std::string_view key) const {
    const Value* found = value_.find(key);
    if (found == nullptr) fail(path_, fmt::format("the key \"{}\" is missing", key));
    return *found;
  }

  const std::string& text(std::string_view key) const {
    if (!at(key).is_string()) fail(path(key), "expected a string");
    return at(key).as_string();
  }

  bool flag(std::string_view key) const {
    if (!at(key).is_bool()) fail(path(key), "expected true or false");
    return at(key).as_bool();
  }

  bool flag(std::string_view key, bool otherwise) const {
    return value_.find(key) == nullptr ? otherwise : flag(key);
  }

  const Value::Array& array(std::string_view key) const {
    if (!at(key).is_array()) fail(path(key), "expected an array");
    return at(key).as_array();
  }

  Section section(std::string_view key) const { return {at(key), path(key)}; }

  void allow_keys(std::initializer_list<std::string_view> keys) const {
    for (const auto& [key, value] : value_.as_table())
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) fail(path(key), "unknown key");
  }

  template <class Function>
  void each(std::string_view key, Function&& function) const {
    for (size_t i = 0; i < array(key).size(); ++i)
      function(Section(array(key)[i], fmt::format("{}.{}[{}]", path_, key, i)));
  }

 private:
  const Value& value_;
  std::string path_;
};

[[noreturn]] void unsupported(const Section& section, std::string_view supported) {
  fail(section.path("type"),
       fmt::format("\"{}\" is not supported", section.text("type")),
       fmt::format("supported: {}", supported));
}

void read_normalizer(const Section& section, Definition& out) {
  const std::string& type = section.text("type");
  if (type == "NFC") {
    section.allow_keys({"type"});
    out.nfc = true;
  } else if (type == "Sequence") {
    section.allow_keys({"type", "normalizers"});
    section.each("normalizers", [&](const Section& part) { read_normalizer(part, out); });
  } else {
    unsupported(section, "null, NFC, Sequence of these");
  }
}

SplitBehavior read_behavior(const Section& section) {
  const std::string& name = section.text("behavior");
  if (name == "Isolated") return SplitBehavior::Isolated;
  if (name == "Removed") return SplitBehavior::Removed;
  if (name == "Contiguous") return SplitBehavior::Contiguous;
  if (name == "MergedWithPrevious") return SplitBehavior::MergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::MergedWithNext;
  fail(section.path("behavior"),
       fmt::format("unknown behaviour \"{}\"", name),
       "known: Isolated, Removed, Contiguous, MergedWithPrevious, MergedWithNext");
}

SplitRule read_split(const Section& section) {
  section.allow_keys({"type", "pattern", "behavior", "invert"});
  const Section pattern = section.section("pattern");
  pattern.allow_keys({"Regex", "String"});
  SplitRule rule;
  rule.literal = pattern.value().find("Regex") == nullptr;
  rule.pattern = pattern.text(rule.literal ? "String" : "Regex");
  rule.behavior = read_behavior(section);
  rule.invert = section.flag("invert");
  return rule;
}

// Returns whether this was the byte-level step.
bool read_pre_tokenizer(const Section& section, Definition& out) {
  const std::string& type = section.text("type");
  if (type == "ByteLevel") {
    section.allow_keys({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    out.add_prefix_space = section.flag("add_prefix_space");
    section.flag("trim_offsets");  // has a meaning in a post_processor only
    out.use_regex = section.flag("use_regex", true);
    return true;
  }
  if (type == "Split") {
    out.splits.push_back(read_split(section));
    return false;
  }
  if (type != "Sequence") unsupported(section, "ByteLevel, Split, Sequence of these");
  section.allow_keys({"type", "pretokenizers"});
  bool complete = false;
  section.each("pretokenizers", [&](const Section& part) {
    if (complete)
      fail(part.path(),
           "a step after ByteLevel is not supported",
           "ByteLevel is expected to be the last step");
    complete = read_pre_tokenizer(part, out);
  });
  return complete;
}

TemplatePiece read_piece(const Section& piece, const Section& specials) {
  piece.allow_keys({"SpecialToken", "Sequence"});
  if (piece.value().find("Sequence") != nullptr) {
    const Section sequence = piece.section("Sequence");
    if (sequence.text("id") != "A")
      fail(sequence.path("id"), fmt::format("expected \"A\", got \"{}\"", sequence.text("id")));
    return {};
  }
  const Section token = piece.section("SpecialToken");
  const Section entry = specials.section(token.text("id"));
  TemplatePiece out;
  for (const Value& id : entry.array("ids")) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() > INT32_MAX)
      fail(entry.path("ids"), "expected ids (whole numbers from 0)");
    out.ids.push_back(static_cast<int32_t>(id.as_int()));
  }
  for (const Value& text : entry.array("tokens")) {
    if (!text.is_string()) fail(entry.path("tokens"), "expected strings");
    out.tokens.push_back(text.as_string());
  }
  if (out.ids.size() != out.tokens.size() || out.ids.empty())
    fail(entry.path(),
         fmt::format("expected as many ids as tokens, at least one, got {} and {}",
                     out.ids.size(),
                     out.tokens.size()));
  return out;
}

void read_post_processor(const Section& section, Definition& out) {
  const std::string& type = section.text("type");
  if (type == "ByteLevel") {
    section.allow_keys({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    const bool add_prefix_space = section.flag("add_prefix_space");
    if (section.flag("trim_offsets")) out.post.push_back({add_prefix_space, {}});
  } else if (type == "TemplateProcessing") {
    section.allow_keys({"type", "single", "pair", "special_tokens"});
    const Section specials = section.section("special_tokens");
    PostStep step;
    section.each("single",
                 [&](const Section& piece) { step.pieces.push_back(read_piece(piece, specials)); });
    const auto sequences =
        std::count_if(step.pieces.begin(), step.pieces.end(), [](const TemplatePiece& piece) {
          return piece.ids.empty();
        });
    if (sequences != 1)
      fail(section.path("single"),
           fmt::format("expected the sequence A once, got it {} times", sequences));
    out.post.push_back(std::move(step));
  } else if (type == "Sequence") {
    section.allow_keys({"type", "processors"});
    section.each("processors", [&](const Section& part) { read_post_processor(part, out); });
  } else {
    unsupported(section, "null, ByteLevel, TemplateProcessing, Sequence of these");
  }
}

void read_decoder(const Section& section) {
  const std::string& type = section.text("type");
  if (type == "Sequence") {
    section.allow_keys({"type", "decoders"});
    if (section.array("decoders").size() != 1)
      fail(section.path("decoders"), "expected exactly one decoder, ByteLevel");
    section.each("decoders", read_decoder);
  } else if (type != "ByteLevel") {
    unsupported(section, "ByteLevel");
  }
}

}  // namespace

void read_sections(Definition& definition) {
  if (!definition.normalizer.is_null())
    read_normalizer({definition.normalizer, "normalizer"}, definition);
  if (definition.pre_tokenizer.is_null() ||
      !read_pre_tokenizer({definition.pre_tokenizer, "pre_tokenizer"}, definition))
    fail("pre_tokenizer",
         "there is no ByteLevel step",
         "this component reads byte-level BPE only (GPT-2, LLaMA 3, Qwen, DeepSeek, …)");
  if (!definition.post_processor.is_null())
    read_post_processor({definition.post_processor, "post_processor"}, definition);
  if (definition.decoder.is_null()) fail("decoder", "there is none", "supported: ByteLevel");
  read_decoder({definition.decoder, "decoder"});
}

}  // namespace mortise::tokenizer::byte_bpe
