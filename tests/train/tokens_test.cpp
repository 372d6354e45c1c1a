// Records → ids, masks, pairs and labels, with a tokenizer that is a byte a token.
#include "core/engine/data/tokens.hpp"

#include <doctest/doctest.h>

#include "mortise/error.hpp"

using namespace mortise;        // NOLINT: a test file
using namespace mortise::core;  // NOLINT

namespace {

constexpr int32_t kEnd = 256, kBos = 257, kEos = 258;

/// "#" is the special token kEnd where special tokens are read.
class Bytes final : public Tokenizer {
 public:
  void load(const std::string&) override {}

  void save(const std::string&) const override {}

  Encoding encode(std::string_view text, const EncodeOptions& options) const override {
    Encoding out;
    for (const char c : text)
      out.ids.push_back(c == '#' && options.parse_special ? kEnd : static_cast<uint8_t>(c));
    return out;
  }

  std::string decode(const std::vector<int32_t>& ids, bool) const override {
    std::string text;
    for (const int32_t id : ids) text += id < 256 ? static_cast<char>(id) : '#';
    return text;
  }

  int64_t vocab_size() const override { return 259; }

  std::optional<int32_t> special(SpecialToken token) const override {
    if (token == SpecialToken::Bos) return kBos;
    if (token == SpecialToken::Eos) return kEos;
    return {};
  }

  std::optional<int32_t> id_of(std::string_view) const override { return {}; }

  std::string fingerprint() const override { return "bytes"; }
};

Value segment(const char* text, bool train, bool special) {
  return Value::Table{{"text", text}, {"train", train}, {"special", special}};
}

CorpusRow row(const char* id, Value::Table fields) {
  CorpusRow out;
  out.record.id = id;
  out.record.fields = Value(std::move(fields));
  return out;
}

TokenSet tokens_of(const std::vector<CorpusRow>& rows, double weight = 1, const char* by = "") {
  return tokenize(Bytes(), rows, {{"train.x", "", weight, {}}}, 1, by);
}

/// One sign for each token of document `d`: x is trained, . is not.
std::string masks(const TokenSet& set, int64_t d) {
  std::string out;
  for (int64_t i = set.begins[static_cast<size_t>(d)]; i < set.begins[static_cast<size_t>(d) + 1];
       ++i)
    out += set.is_masked(i) ? '.' : 'x';
  return out;
}

}  // namespace

TEST_SUITE("train.tokens") {
  TEST_CASE("plain text has no mask at all, and all of it is trained") {
    const TokenSet set = tokens_of({row("a", {{"text", "hi#"}})});
    CHECK(set.ids == std::vector<int32_t>{kBos, 'h', 'i', '#', kEos});
    CHECK(set.masked.empty());
    CHECK(set.num_eos_trained() == 1);
    CHECK(set.labels.empty());
    CHECK(set.pairs.empty());
  }

  TEST_CASE("segments mark every token, and special tokens only where they are marks") {
    const Value::Array list = {segment("u:", false, true),
                               segment("q#", false, false),
                               segment("#", false, true),
                               segment("yes", true, false),
                               segment("#", true, true)};
    const TokenSet set = tokens_of(
        {row("plain", {{"text", "abc"}}), row("chat", {{"text", "not this"}, {"segments", list}})});
    CHECK(masks(set, 0) == "xxxxx");
    CHECK(
        set.ids ==
        std::vector<int32_t>{
            kBos, 'a', 'b', 'c', kEos, kBos, 'u', ':', 'q', '#', kEnd, 'y', 'e', 's', kEnd, kEos});
    CHECK(masks(set, 1) == "......xxxxx");
    CHECK(set.num_eos_trained() == 2);
  }

  TEST_CASE("the end of the text is trained when what stands before it is") {
    const TokenSet set = tokens_of({row(
        "a",
        {{"segments", Value::Array{segment("a", true, false), segment("bc", false, false)}}})});
    CHECK(masks(set, 0) == "xx...");
    CHECK(set.num_eos_trained() == 0);
  }

  TEST_CASE("prompt and response, preferences and labels") {
    const TokenSet set =
        tokens_of({row("a", {{"prompt", "ab"}, {"response", "c"}}),
                   row("b", {{"prompt", "x"}, {"chosen", "yy"}, {"rejected", "z"}, {"label", 3}})},
                  2);
    REQUIRE(set.num_documents() == 6);
    CHECK(masks(set, 0) == "...xx");
    CHECK(masks(set, 2) == "..xxx");
    CHECK(masks(set, 3) == "..xx");
    CHECK(set.labels == std::vector<int64_t>{-1, -1, 3, 3, 3, 3});
    REQUIRE(set.pairs.size() == 6);
    CHECK(set.pairs[0] == -1);
    CHECK(set.pairs[2] == set.pairs[3]);
    CHECK(set.pairs[4] == set.pairs[5]);
    CHECK(set.pairs[2] != set.pairs[4]);  // a copy is a pair of its own
    CHECK(set.chosen == std::vector<uint8_t>{0, 0, 1, 0, 1, 0});
  }

  TEST_CASE("wrong segments and missing difficulties name their record") {
    CHECK_THROWS_WITH_AS(tokens_of({row("r:1", {{"segments", Value::Array{Value("x")}}})}),
                         doctest::Contains("record r:1: `segments` is a list of {text, train}"),
                         DataError);
    CHECK_THROWS_WITH_AS(tokens_of({row("r:2", {{"text", "x"}})}, 1, "loss"),
                         doctest::Contains("record r:2 has no number `loss`"),
                         DataError);
    CHECK(tokens_of({row("r:3", {{"text", "x"}, {"loss", 0.5}})}, 1, "loss").difficulty ==
          std::vector<double>{0.5});
  }
}
