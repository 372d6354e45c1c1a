// The stages of `Tokenizer.encode` (tokenizers/src/tokenizer/mod.rs): added tokens in the raw text
// → per piece: normalize → added tokens in the normalized text → per piece: pre-tokenize → BPE per
// word → post-process.  Offsets are bytes of the original text and whole characters: a token that
// is part of a character has the borders of the character.
#include "encoder.hpp"

#include <algorithm>

#include <simdjson.h>

#include "mortise/error.hpp"
#include "mortise/pytext.hpp"

#include "unicode.hpp"

namespace mortise::tokenizer::byte_bpe {

namespace {

enum TokenKind : uint8_t { kNoToken = 0, kOrdinary = 1, kSpecialToken = 2 };

constexpr char32_t kSpaceInAlphabet = 0x120;

// White space at the two ends of a token, in characters: what trim_offsets takes away.
struct Edges {
  int32_t leading = 0, trailing = 0;
};

// Of an added token, whose text may hold any white space.
Edges edges_of_text(std::string_view text) {
  const auto is_blank = [](char32_t c) {
    return c == kSpaceInAlphabet || (code_point_classes()[c] & kSpace) != 0;
  };
  Edges edges;
  for (size_t at = 0; at < text.size(); ++edges.leading) {
    const CodePoint c = decode_utf8(text.data() + at);
    if (!is_blank(c.value)) break;
    at += static_cast<size_t>(c.size);
  }
  for (const char* end = text.data() + text.size(); end > text.data(); ++edges.trailing) {
    const CodePoint c = decode_utf8_before(end);
    if (!is_blank(c.value)) break;
    end -= c.size;
  }
  return edges;
}

// Of a model token: among the 256 byte characters only that of 0x20 counts.
Edges edges_of_bytes(std::string_view bytes) {
  Edges edges;
  while (edges.leading < static_cast<int32_t>(bytes.size()) &&
         bytes[static_cast<size_t>(edges.leading)] == ' ')
    ++edges.leading;
  while (edges.trailing < static_cast<int32_t>(bytes.size()) &&
         bytes[bytes.size() - 1 - static_cast<size_t>(edges.trailing)] == ' ')
    ++edges.trailing;
  return edges;
}

// ByteLevel's process_offsets (byte_level.rs), which counts characters; here the offsets are bytes
// of `text`.
Span trimmed(
    Span span, Edges edges, bool is_first_token, bool add_prefix_space, std::string_view text) {
  if ((is_first_token || span.begin == 0) && add_prefix_space && edges.leading == 1)
    edges.leading = 0;  // we put it there
  for (; edges.leading > 0 && span.begin < span.end; --edges.leading) do
      ++span.begin;
    while (span.begin < span.end && is_continuation(text[static_cast<size_t>(span.begin)]));
  int64_t end = span.end;
  for (; edges.trailing > 0 && end > 0; --edges.trailing) do
      --end;
    while (end > 0 && is_continuation(text[static_cast<size_t>(end)]));
  if (edges.trailing == 0) span.end = std::max(end, span.begin);
  return span;
}

}  // namespace

struct Encoder::SplitStep {
  std::optional<Pattern> hand_written;
  std::unique_ptr<RegexSplitter> regex;
};

// What one call of encode collects.
struct Encoder::Output {
  std::string_view original;
  bool with_offsets, with_edges, parse_special;
  std::vector<int32_t> ids;
  std::vector<Span> offsets;
  std::vector<Edges> edges;
  std::vector<int32_t> lengths;  // of the tokens of the words at hand

  void add(const AddedToken& token, const View& text, size_t begin, size_t end) {
    ids.push_back(token.id);
    if (with_offsets) offsets.push_back(text.original(begin, end));
    if (with_edges) edges.push_back(edges_of_text(text.text.substr(begin, end - begin)));
  }

  void trim(bool add_prefix_space) {
    for (size_t i = 0; i < offsets.size(); ++i)
      offsets[i] = trimmed(offsets[i], edges[i], i == 0, add_prefix_space, original);
  }

  void surround(const std::vector<TemplatePiece>& pieces);
};

void Encoder::Output::surround(const std::vector<TemplatePiece>& pieces) {
  Output result{original, with_offsets, with_edges, parse_special, {}, {}, {}, {}};
  for (const TemplatePiece& piece : pieces) {
    const bool sequence = piece.ids.empty();
    const auto& source = sequence ? ids : piece.ids;
    result.ids.insert(result.ids.end(), source.begin(), source.end());
    if (with_offsets && sequence)
      result.offsets.insert(result.offsets.end(), offsets.begin(), offsets.end());
    if (with_offsets && !sequence) result.offsets.resize(result.ids.size());
    if (with_edges && sequence) result.edges.insert(result.edges.end(), edges.begin(), edges.end());
    if (with_edges && !sequence)
      for (const std::string& token : piece.tokens) result.edges.push_back(edges_of_text(token));
  }
  *this = std::move(result);
}

Encoder::Encoder(Definition definition)
    : definition_(std::move(definition)), model_(definition_.vocabulary) {
  prepare_added_tokens();
  prepare_splits();
  prepare_decoding();
  check_template_ids();
}

Encoder::~Encoder() = default;

void Encoder::prepare_added_tokens() {
  // Special ones first: of two tokens with the same (normalized) content the library finds the
  // special one
  for (bool special : {true, false})
    for (const AddedToken& token : definition_.added) {
      if (token.special != special) continue;
      const bool changes = token.normalized && definition_.nfc && !is_nfc(token.content);
      const std::string content = changes ? to_nfc({token.content}).text : token.content;
      (token.normalized ? normalized_finder_ : raw_finder_).add(content, token);
    }
}

void Encoder::prepare_splits() {
  const Definition& d = definition_;
  if (d.use_regex) word_pattern_ = Pattern::Gpt2;
  for (size_t i = 0; i < d.splits.size(); ++i) {
    const SplitRule& rule = d.splits[i];
    const bool plain = !rule.literal && rule.behavior == SplitBehavior::Isolated && !rule.invert;
    SplitStep step;
    if (plain) step.hand_written = known_pattern(rule.pattern);
    if (step.hand_written && i + 1 == d.splits.size() && !d.add_prefix_space && !d.use_regex) {
      word_pattern_ =
          step.hand_written;  // the usual case: nothing happens between this split and the model
      return;
    }
    if (!step.hand_written)
      step.regex =
          std::make_unique<RegexSplitter>(rule.pattern, rule.literal, rule.behavior, rule.invert);
    splits_.push_back(std::move(step));
  }
}

void Encoder::prepare_decoding() {
  int64_t limit = model_.id_limit();
  for (const AddedToken& token : definition_.added) limit = std::max(limit, int64_t{token.id} + 1);
  decoded_.resize(static_cast<size_t>(limit));
  token_kinds_.assign(static_cast<size_t>(limit), kNoToken);
  const auto set = [this](int32_t id, const std::string& text, TokenKind kind) {
    std::string& bytes = decoded_[static_cast<size_t>(id)];
    if (!from_alphabet(text, bytes)) bytes = text;
    token_kinds_[static_cast<size_t>(id)] = kind;
  };
  for (const auto& [text, id] : definition_.vocabulary.tokens) set(id, text, kOrdinary);
  for (const AddedToken& token : definition_.added)
    set(token.id, token.content, token.special ? kSpecialToken : kOrdinary);
}

void Encoder::check_template_ids() const {
  for (const PostStep& step : definition_.post)
    for (const TemplatePiece& piece : step.pieces)
      for (size_t i = 0; i < piece.ids.size(); ++i)
        if (piece.ids[i] >= vocab_size() ||
            token_kinds_[static_cast<size_t>(piece.ids[i])] == kNoToken)
          throw DataError(fmt::format(
              "post_processor: the template's token \"{}\" has id {}, which no token has",
              piece.tokens[i],
              piece.ids[i]));
}

Encoding Encoder::encode(std::string_view text, const EncodeOptions& options) const {
  MORTISE_CHECK(text.size() <= INT32_MAX,
                "one text of {} bytes is too long; at most {} are encoded at once",
                text.size(),
                INT32_MAX);
  const auto trims = [](const PostStep& step) { return step.pieces.empty(); };
  const bool with_edges =
      options.offsets && std::any_of(definition_.post.begin(), definition_.post.end(), trims);
  Output out{text, options.offsets, with_edges, options.parse_special, {}, {}, {}, {}};
  out.ids.reserve(text.size() / 3 + 8);
  if (simdjson::validate_utf8(text)) {
    encode_text({text}, out);
  } else {
    const Aligned repaired = repair(text);
    encode_text(view_of(repaired), out);
  }
  for (const PostStep& step : definition_.post) {
    if (step.pieces.empty() && with_edges) out.trim(step.add_prefix_space);
    if (!step.pieces.empty() && options.add_special) out.surround(step.pieces);
  }
  return {std::move(out.ids), std::move(out.offsets)};
}

void Encoder::encode_text(const View& text, Output& out) const {
  if (raw_finder_.empty()) return encode_normalized(text, out);
  for (const auto& part : raw_finder_.find(text.text, out.parse_special)) {
    if (part.token != nullptr)
      out.add(*part.token, text, part.begin, part.end);
    else
      encode_normalized(text.sub(part.begin, part.end), out);
  }
}

void Encoder::encode_normalized(const View& text, Output& out) const {
  Aligned normalized;
  View view = text;
  if (definition_.nfc && !is_nfc(text.text)) {
    normalized = to_nfc(text);
    view = view_of(normalized);
  }
  if (normalized_finder_.empty()) return pre_tokenize(view, 0, out);
  for (const auto& part : normalized_finder_.find(view.text, out.parse_special)) {
    if (part.token != nullptr)
      out.add(*part.token, view, part.begin, part.end);
    else
      pre_tokenize(view.sub(part.begin, part.end), 0, out);
  }
}

void Encoder::pre_tokenize(const View& text, size_t step, Output& out) const {
  if (text.text.empty()) return;
  if (step == splits_.size()) return encode_words(text, out);
  const SplitStep& split = splits_[step];
  if (!split.hand_written) {
    for (const auto& piece : split.regex->split(text.text))
      pre_tokenize(text.sub(piece.begin, piece.end), step + 1, out);
    return;
  }
  const char* const begin = text.text.data();
  const char* const end = begin + text.text.size();
  WordEnds batch;
  for (const char* p = begin; p < end;) {
    const char* const stop = split_words(*split.hand_written, p, end, batch);
    for (int i = 0; i < batch.count; ++i) {
      const char* const word_end = batch.ends[static_cast<size_t>(i)];
      pre_tokenize(text.sub(static_cast<size_t>(p - begin), static_cast<size_t>(word_end - begin)),
                   step + 1,
                   out);
      p = word_end;
    }
    p = stop;
  }
}

void Encoder::encode_words(const View& given, Output& out) const {
  Aligned prefixed;
  View text = given;
  if (definition_.add_prefix_space && text.text[0] != ' ') {
    prefixed = with_prefix_space(given, out.with_offsets);
    text = view_of(prefixed);
  }
  const size_t first_id = out.ids.size();
  std::vector<int32_t>* lengths = out.with_offsets ? &out.lengths : nullptr;
  const char* p = text.text.data();
  const char* const end = p + text.text.size();
  if (!word_pattern_) {
    model_.encode_word(text.text, out.ids, lengths);
    p = end;
  }
  WordEnds batch;
  while (p < end) {
    const char* const stop = split_words(*word_pattern_, p, end, batch);
    for (int i = 0; i < batch.count; ++i) {
      const char* const word_end = batch.ends[static_cast<size_t>(i)];
      model_.encode_word({p, static_cast<size_t>(word_end - p)}, out.ids, lengths);
      p = word_end;
    }
    p = stop;
  }
  if (out.with_offsets) emit_words(text, first_id, out);
}

// Turns the lengths of the tokens from `first_id` on into offsets.
void Encoder::emit_words(const View& text, size_t first_id, Output& out) const {
  size_t at = 0;
  for (size_t i = first_id; i < out.ids.size(); ++i) {
    const auto length = static_cast<size_t>(out.lengths[i - first_id]);
    out.offsets.push_back(text.original(at, at + length));
    if (out.with_edges) out.edges.push_back(edges_of_bytes(text.text.substr(at, length)));
    at += length;
  }
  out.lengths.clear();
}

std::string Encoder::decode(const std::vector<int32_t>& ids, bool skip_special) const {
  std::string bytes;
  for (int32_t id : ids) {
    const uint8_t kind =
        id < 0 || id >= vocab_size() ? uint8_t{kNoToken} : token_kinds_[static_cast<size_t>(id)];
    if (kind == kNoToken)
      throw DataError(fmt::format("no token has id {}; ids go from 0 to {}", id, vocab_size() - 1),
                      "were these ids made by another tokenizer?");
    if (skip_special && kind == kSpecialToken) continue;
    bytes += decoded_[static_cast<size_t>(id)];
  }
  return simdjson::validate_utf8(bytes) ? bytes : pytext::repair_utf8(bytes);
}

std::optional<int32_t> Encoder::id_of(std::string_view token) const {
  for (const AddedToken& added : definition_.added)
    if (added.content == token) return added.id;
  return model_.id_of(token);
}

}  // namespace mortise::tokenizer::byte_bpe
