// tokenizer.json files that are wrong, each with the message a user reads.
#include <filesystem>
#include <string>

#include <doctest/doctest.h>
#include <unistd.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/log.hpp"

#include "byte_bpe.hpp"
#include "definition.hpp"
#include "encoder.hpp"
#include "unicode.hpp"

using mortise::DataError;
using namespace mortise::tokenizer::byte_bpe;

namespace {

constexpr const char* kByteLevel =
    R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":true})";

// The parts of a tokenizer.json, to be replaced one at a time.
struct Parts {
  std::string version = R"("1.0")";
  std::string added = "[]";
  std::string normalizer = "null";
  std::string pre_tokenizer = kByteLevel;
  std::string post_processor = "null";
  std::string decoder = kByteLevel;
  std::string more_vocab = R"(,"ab":256,"abc":257)";
  std::string merges = R"(["a b",["ab","c"]])";
  std::string more_model = "";
  std::string more = "";

  std::string text() const {
    std::string vocab;
    for (int byte = 0; byte < 256; ++byte) {
      std::string character = to_alphabet(std::string(1, static_cast<char>(byte)));
      if (character == "\"" || character == "\\") character.insert(0, "\\");
      vocab += fmt::format("{}\"{}\":{}", byte == 0 ? "" : ",", character, byte);
    }
    return fmt::format(
        R"({{"version":{},"truncation":null,"padding":null,"added_tokens":{},"normalizer":{},"pre_tokenizer":{},"post_processor":{},)"
        R"("decoder":{},"model":{{"type":"BPE","vocab":{{{}{}}},"merges":{}{}}}{}}})",
        version,
        added,
        normalizer,
        pre_tokenizer,
        post_processor,
        decoder,
        vocab,
        more_vocab,
        merges,
        more_model,
        more);
  }
};

// The error of reading a text and building its encoder; empty when there is none.
std::string error_of(const std::string& text) {
  try {
    const Encoder encoder(read_tokenizer_json(text, "x/tokenizer.json"));
    return {};
  } catch (const DataError& error) {
    return error.what();
  }
}

void check(const std::string& text, const std::string& expected) {
  const std::string message = error_of(text);
  CAPTURE(message);
  CAPTURE(expected);
  CHECK(message.find(expected) != message.npos);
}

std::string added(const std::string& fields) {
  return R"([{"single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true,)" +
         fields + "}]";
}

}  // namespace

TEST_SUITE("tokenizer.byte_bpe") {
  TEST_CASE("the unbroken file of this test is read") {
    CHECK(error_of(Parts{}.text()) == "");
    const Encoder encoder(read_tokenizer_json(Parts{}.text(), "x"));
    CHECK(encoder.encode("abcab", {}).ids == std::vector<int32_t>{257, 256});
  }

  TEST_CASE("text that is no JSON is refused with its place") {
    check("", "x/tokenizer.json");
    check("{\"version\": \"1.0\",\n \"model\": ]", "x/tokenizer.json:2");
    check(Parts{}.text() + "}", "x/tokenizer.json:1");
    check("[]", "the document: expected an object, got an array");
    check("{\"version\":\"\xff\"}", "UTF-8");
    check(std::string(100000, '['), "x/tokenizer.json: nesting is deeper than 200");
    check(Parts{.more = ",\"x\":" + std::string(100, '[') + std::string(100, ']')}.text(),
          "nested deeper than 64 levels");
  }

  TEST_CASE("merges that do not fit the vocabulary are refused") {
    check(Parts{.merges = R"(["a b","x y"])"}.text(),
          "model.merges[1]: \"x\" + \"y\": the token \"xy\" is not in model.vocab");
    check(Parts{.merges = R"([["a","zz"]])"}.text(), "the token \"zz\" is not in model.vocab");
    check(Parts{.merges = R"(["ab"])"}.text(),
          "model.merges[0]: expected two tokens and one space between them, got \"ab\"");
    check(Parts{.merges = R"([["a","b","c"]])"}.text(),
          "model.merges[0]: expected \"a b\" or [\"a\", \"b\"], got an array");
    check(Parts{.merges = R"([["a",1]])"}.text(),
          "model.merges[0][1]: expected a string, got a number");
    check(Parts{.merges = R"({"a":"b"})"}.text(), "model.merges: expected an array, got an object");
  }

  TEST_CASE("wrong ids are refused") {
    check(Parts{.more_vocab = R"(,"ab":7,"abc":257)"}.text(), "have the same id 7");
    check(Parts{.more_vocab = R"(,"ab":256,"abc":257,"ab":258)"}.text(),
          "the token \"ab\" stands there twice");
    check(Parts{.more_vocab = R"(,"ab":-1,"abc":257)"}.text(),
          "model.vocab[\"ab\"]: expected an id (a whole number from 0), got -1");
    check(Parts{.more_vocab = R"(,"ab":1.5,"abc":257)"}.text(), "got 1.5");
    check(Parts{.more_vocab = R"(,"ab":"256","abc":257)"}.text(),
          "model.vocab[\"ab\"]: expected an id (a whole number from 0), got a string");
    check(Parts{.more_vocab = R"(,"ab":256,"abc":100000000)"}.text(),
          "the token \"abc\" has id 100000000, but there are only 258 tokens");
    check(Parts{.more_vocab = R"(,"ab":256,"abc":99999999999)"}.text(),
          "the id 99999999999 is too large");
  }

  TEST_CASE("holes in the ids are warned of, and decoding them is an error") {
    static std::string warned;
    mortise::log::set_sink(
        [](void*, mortise::log::Level, std::string_view line) { warned += line; },
        nullptr,
        mortise::log::Level::Warn);
    const Encoder encoder(
        read_tokenizer_json(Parts{.more_vocab = R"(,"ab":256,"abc":260)"}.text(), "x"));
    mortise::log::set_sink(nullptr, nullptr, mortise::log::Level::Warn);
    CHECK(warned.find("model.vocab has holes: 3 ids below 261 have no token") != warned.npos);
    CHECK(encoder.vocab_size() == 261);
    CHECK_THROWS_WITH_AS(encoder.decode({258}, false),
                         doctest::Contains("no token has id 258; ids go from 0 to 260"),
                         DataError);
    CHECK_THROWS_AS(encoder.decode({-1}, false), DataError);
  }

  TEST_CASE("added tokens that the library would read otherwise are refused") {
    CHECK(error_of(Parts{.added = added(R"("id":258,"content":"<s>")")}.text()) == "");
    check(Parts{.added = added(R"("id":300,"content":"<s>")")}.text(),
          "added_tokens[0].id: \"<s>\" has id 300, expected 258");
    check(Parts{.added = added(R"("id":5,"content":"abc")")}.text(),
          "model.vocab has this token with another id");
    check(Parts{.added = added(R"("id":258,"content":"")")}.text(),
          "added_tokens[0]: an added token needs an \"id\" and a \"content\"");
    check(Parts{.added = added(R"("id":258,"content":"<s>","color":1)")}.text(),
          "added_tokens[0].color: unknown key");
    check(Parts{.added = R"([{"id":258,"content":"<s>","special":"yes"}])"}.text(),
          "added_tokens[0].special: expected true or false, got a string");
    check(Parts{.added = "{}"}.text(), "added_tokens: expected an array, got an object");
  }

  TEST_CASE("what is not supported is named with its path and what is") {
    check(Parts{.normalizer = R"({"type":"Lowercase"})"}.text(),
          "normalizer.type: \"Lowercase\" is not supported");
    check(
        Parts{.normalizer = R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"NFKC"}]})"}
            .text(),
        "normalizer.normalizers[1].type: \"NFKC\" is not supported\n  while reading "
        "x/tokenizer.json\n  fix: supported: null, NFC, Sequence of these");
    check(Parts{.pre_tokenizer = R"({"type":"Metaspace"})"}.text(),
          "pre_tokenizer.type: \"Metaspace\" is not supported");
    check(Parts{.pre_tokenizer = "null"}.text(), "pre_tokenizer: there is no ByteLevel step");
    check(
        Parts{
            .pre_tokenizer =
                R"({"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated","invert":false})"}
            .text(),
        "there is no ByteLevel step");
    check(
        Parts{
            .pre_tokenizer = fmt::format(
                R"({{"type":"Sequence","pretokenizers":[{{"type":"Split","pattern":{{"Regex":"(a"}},"behavior":"Isolated","invert":false}},{}]}})",
                kByteLevel)}
            .text(),
        "the regular expression \"(a\" is wrong at byte 2");
    check(
        Parts{.pre_tokenizer = R"({"type":"ByteLevel","add_prefix_space":1,"trim_offsets":false})"}
            .text(),
        "pre_tokenizer.add_prefix_space: expected true or false");
    check(Parts{.post_processor = R"({"type":"RobertaProcessing"})"}.text(),
          "post_processor.type: \"RobertaProcessing\" is not supported\n  while reading "
          "x/tokenizer.json\n  fix: supported: null, ByteLevel, TemplateProcessing, Sequence of "
          "these");
    check(Parts{.decoder = "null"}.text(), "decoder: there is none");
    check(Parts{.decoder = R"({"type":"WordPiece"})"}.text(),
          "decoder.type: \"WordPiece\" is not supported");
    check(Parts{.more_model = R"(,"byte_fallback":true)"}.text(),
          "model.byte_fallback: true is not supported");
    check(Parts{.more_model = R"(,"end_of_word_suffix":"</w>")"}.text(),
          "model.end_of_word_suffix: \"</w>\" is not supported");
    check(Parts{.more_model = R"(,"dropout":0.1)"}.text(), "model.dropout: 0.1 is not supported");
    check(Parts{.more_model = R"(,"speed":1)"}.text(), "model.speed: unknown key");
    check(Parts{.version = R"("2.0")"}.text(), "version: \"2.0\" is not supported");
    check(Parts{.more = R"(,"extra":1)"}.text(), "extra: unknown key");
    check(R"({"version":"1.0"})", "the key \"model\" is missing");
    check(R"({"model":{"type":"Unigram"}})",
          "model.type: \"Unigram\" is not supported\n  while reading x/tokenizer.json\n  fix: "
          "supported: \"BPE\"");
    check(R"({"model":{"type":"BPE","merges":[]}})", "model: the key \"vocab\" is missing");
  }

  TEST_CASE("a template that names an id without a token is refused") {
    const auto post = [](const char* ids) {
      return fmt::format(
          R"({{"type":"TemplateProcessing","single":[{{"SpecialToken":{{"id":"<s>","type_id":0}}}},{{"Sequence":{{"id":"A","type_id":0}}}}],)"
          R"("pair":[],"special_tokens":{{"<s>":{{"id":"<s>","ids":{},"tokens":["<s>"]}}}}}})",
          ids);
    };
    CHECK(error_of(Parts{.post_processor = post("[257]")}.text()) == "");
    check(Parts{.post_processor = post("[999]")}.text(),
          "the template's token \"<s>\" has id 999, which no token has");
    check(Parts{.post_processor = post("[]")}.text(),
          "expected as many ids as tokens, at least one, got 0 and 1");
    check(Parts{.post_processor = post("[-4]")}.text(), "expected ids (whole numbers from 0)");
    check(Parts{.post_processor =
                    R"({"type":"TemplateProcessing","single":[],"pair":[],"special_tokens":{}})"}
              .text(),
          "post_processor.single: expected the sequence A once, got it 0 times");
  }

  TEST_CASE("an error names the file, and a failed load leaves the tokenizer as it was") {
    const mortise::testing::TempDir dir;
    const std::string& folder = dir.path;
    mortise::write_file(folder + "/tokenizer.json", Parts{}.text());
    ByteBpe tokenizer({});
    CHECK_THROWS_WITH(tokenizer.encode("a", {}), doctest::Contains("has no vocabulary yet"));
    tokenizer.load(folder);
    mortise::write_file(folder + "/tokenizer.json", Parts{.merges = R"(["q q"])"}.text());
    CHECK_THROWS_WITH_AS(
        tokenizer.load(folder), doctest::Contains((folder + "/tokenizer.json").c_str()), DataError);
    mortise::write_file(folder + "/tokenizer.json", Parts{}.text());
    mortise::write_file(folder + "/tokenizer_config.json", R"({"eos_token": "<none>"})");
    CHECK_THROWS_WITH_AS(
        tokenizer.load(folder),
        doctest::Contains("eos_token is \"<none>\", which is no token of tokenizer.json"),
        DataError);
    mortise::write_file(folder + "/tokenizer_config.json", R"({"eos_token": 5})");
    CHECK_THROWS_WITH_AS(tokenizer.load(folder),
                         doctest::Contains("tokenizer_config.json: eos_token: expected a text"),
                         DataError);
    CHECK(tokenizer.encode("abc", {}).ids == std::vector<int32_t>{257});
    CHECK_THROWS_AS(ByteBpe({}).load(folder + "/absent"), mortise::Error);
  }
}
