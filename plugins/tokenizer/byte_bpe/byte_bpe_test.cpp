// The component itself: training, files, options, threads, sizes.  Equality with the library is
// golden_test.cpp.
#include "byte_bpe.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <unistd.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"
#include "mortise/pytext.hpp"
#include "mortise/random.hpp"

#include "bpe_model.hpp"
#include "unicode.hpp"

using mortise::EncodeOptions;
using mortise::Encoding;
using mortise::SpecialToken;
using mortise::tokenizer::byte_bpe::BpeModel;
using mortise::tokenizer::byte_bpe::ByteBpe;
using mortise::tokenizer::byte_bpe::Vocabulary;

namespace {

const std::vector<std::string> kTexts = {"the quick brown fox jumps over the lazy dog",
                                         "the theory of the thing: it's there, they're here",
                                         "naïve café, 3.14159 and 2,718",
                                         "the other the others then the thaw"};

void train(ByteBpe& tokenizer, int64_t vocab_size) {
  size_t next = 0;
  tokenizer.train(
      [&](std::string& text) { return next < kTexts.size() && (text = kTexts[next++], true); },
      vocab_size);
}

ByteBpe::Config config_with_bos() {
  ByteBpe::Config config;
  config.bos_token = "<s>";
  config.pad_token = "<pad>";
  config.add_bos = true;
  config.min_frequency = 0;
  return config;
}

// The textbook algorithm: join the leftmost pair of lowest rank until there is none.
std::vector<int32_t> merged_naively(const Vocabulary& vocabulary,
                                    const BpeModel& model,
                                    const std::string& word) {
  std::vector<std::string> symbols;
  for (char byte : word) symbols.push_back(mortise::tokenizer::byte_bpe::to_alphabet({&byte, 1}));
  for (;;) {
    size_t best_rank = vocabulary.merges.size(), best = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i)
      for (size_t rank = 0; rank < best_rank; ++rank)
        if (vocabulary.merges[rank].first == symbols[i] &&
            vocabulary.merges[rank].second == symbols[i + 1])
          best_rank = rank, best = i;
    if (best_rank == vocabulary.merges.size()) break;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  std::vector<int32_t> ids;
  for (const auto& symbol : symbols) ids.push_back(*model.id_of(symbol));
  return ids;
}

Vocabulary small_vocabulary() {
  Vocabulary vocabulary;
  for (int byte = 0; byte < 256; ++byte)
    vocabulary.tokens.emplace_back(
        mortise::tokenizer::byte_bpe::to_alphabet(std::string(1, static_cast<char>(byte))), byte);
  const std::vector<std::pair<std::string, std::string>> merges = {{"a", "b"},
                                                                   {"b", "a"},
                                                                   {"a", "a"},
                                                                   {"ab", "a"},
                                                                   {"aa", "aa"},
                                                                   {"ba", "ab"},
                                                                   {"aba", "b"},
                                                                   {"b", "b"},
                                                                   {"aaaa", "aaaa"}};
  for (const auto& [left, right] : merges)
    vocabulary.tokens.emplace_back(left + right, static_cast<int32_t>(vocabulary.tokens.size()));
  vocabulary.merges = merges;
  return vocabulary;
}

}  // namespace

TEST_SUITE("tokenizer.byte_bpe") {
  TEST_CASE("a trained tokenizer gives texts back and has its special tokens first") {
    ByteBpe tokenizer(config_with_bos());
    train(tokenizer, 320);
    CHECK(tokenizer.vocab_size() == 320);
    CHECK(tokenizer.special(SpecialToken::Bos) == 0);
    CHECK(tokenizer.special(SpecialToken::Eos) == 1);
    CHECK(tokenizer.special(SpecialToken::Pad) == 2);
    CHECK_FALSE(tokenizer.special(SpecialToken::Unknown).has_value());
    CHECK(tokenizer.id_of("<|endoftext|>") == 1);
    CHECK(tokenizer.id_of("Ġthe").has_value());
    for (const auto& text : kTexts) {
      const Encoding encoding = tokenizer.encode(text, {});
      CHECK(encoding.ids[0] == 0);
      CHECK(encoding.ids.size() < text.size());
      CHECK(tokenizer.decode(encoding.ids, /*skip_special=*/true) == text);
      CHECK(tokenizer.decode(encoding.ids, /*skip_special=*/false) == "<s>" + text);
      CHECK(tokenizer.encode(text, {.add_special = false}).ids.size() + 1 == encoding.ids.size());
    }
  }

  TEST_CASE("special tokens are recognised or are text, as asked") {
    ByteBpe tokenizer({});
    train(tokenizer, 300);
    CHECK(tokenizer.encode("a<|endoftext|>b", {}).ids.size() == 3);
    CHECK(tokenizer.encode("a<|endoftext|>b", {.parse_special = false}).ids.size() > 3);
  }

  TEST_CASE("saved and loaded, it is the same tokenizer") {
    const mortise::testing::TempDir folder;
    for (const char* pattern : {"gpt2", "llama3", "qwen2"}) {
      ByteBpe::Config config = config_with_bos();
      config.pattern = pattern;
      ByteBpe trained(config), loaded({});
      train(trained, 330);
      trained.save(folder.path);
      loaded.load(folder.path);
      CHECK(loaded.fingerprint() == trained.fingerprint());
      CHECK(loaded.special(SpecialToken::Pad) == trained.special(SpecialToken::Pad));
      for (const auto& text : kTexts)
        CHECK(loaded.encode(text, {}).ids == trained.encode(text, {}).ids);
      const std::string first = mortise::read_file(folder.path + "/tokenizer.json");
      loaded.save(folder.path);
      CHECK(mortise::read_file(folder.path + "/tokenizer.json") == first);
    }
  }

  TEST_CASE("goldens saved by us give the same ids when read again") {
    const mortise::testing::TempDir folder;
    for (const char* name : {"gpt2", "gpt2_prefix_space", "llama3", "qwen2_nfc"}) {
      ByteBpe original({}), copy({});
      original.load(std::string(MORTISE_SOURCE_DIR) + "/tests/golden/tokenizer/" + name);
      original.save(folder.path);
      copy.load(folder.path);
      CHECK(copy.fingerprint() == original.fingerprint());
      const std::string text = "it's <a><b>  caf\u00e9 ne\u0301e <both> word 123456 \u4e2d\u6587";
      CHECK(copy.encode(text, {}).ids == original.encode(text, {}).ids);
    }
  }

  TEST_CASE("what else tokenizer_config.json holds is kept") {
    const mortise::testing::TempDir folder;
    ByteBpe tokenizer({});
    train(tokenizer, 300);
    tokenizer.save(folder.path);
    mortise::write_file(
        folder.path + "/tokenizer_config.json",
        R"({"chat_template": "{{ x }}", "model_max_length": 77, "eos_token": {"content": "<|endoftext|>"}, "pad_token": null})");
    tokenizer.load(folder.path);
    CHECK(tokenizer.special(SpecialToken::Eos) == 0);
    tokenizer.save(folder.path);
    const auto config =
        mortise::parse_json(mortise::read_file(folder.path + "/tokenizer_config.json"));
    CHECK(config.at("chat_template").as_string() == "{{ x }}");
    CHECK(config.at("model_max_length").as_int() == 77);
  }

  TEST_CASE("training is deterministic, and its limits are named") {
    ByteBpe first({}), second({});
    train(first, 310);
    train(second, 310);
    CHECK(first.fingerprint() == second.fingerprint());
    ByteBpe::Config config;
    config.pattern = "qwen2";
    ByteBpe other(config);
    train(other, 310);
    CHECK(other.fingerprint() != first.fingerprint());
    CHECK_THROWS_WITH(
        train(first, 100),
        doctest::Contains("a vocabulary of 100 tokens cannot be learned: expected 257"));
    config.add_bos = true;
    CHECK_THROWS_WITH(train(*std::make_unique<ByteBpe>(config), 300),
                      doctest::Contains("add_bos needs a bos_token"));
  }

  TEST_CASE("invalid bytes become U+FFFD, and offsets point at the bytes themselves") {
    ByteBpe tokenizer({});
    train(tokenizer, 300);
    const std::string text = "ab\xff\xe4\xb8z";
    const Encoding encoding = tokenizer.encode(text, {.offsets = true});
    CHECK(encoding.ids == tokenizer.encode(mortise::pytext::repair_utf8(text), {}).ids);
    CHECK(tokenizer.decode(encoding.ids, false) == "ab\ufffd\ufffdz");
    CHECK(encoding.offsets.front() == Encoding::Span{0, 1});
    CHECK(encoding.offsets[2] == Encoding::Span{2, 3});
    CHECK(encoding.offsets[5] == Encoding::Span{3, 5});
    CHECK(encoding.offsets.back() == Encoding::Span{5, 6});
  }

  TEST_CASE("short and long words are merged as the textbook algorithm merges them") {
    const Vocabulary vocabulary = small_vocabulary();
    const BpeModel model(vocabulary);
    mortise::Philox random(5, 0);
    for (int i = 0; i < 400; ++i) {
      std::string word;
      for (uint64_t n = random.below(i % 4 == 0 ? 200 : 40) + 1; n > 0; --n)
        word += "aaab"[random.below(4)];
      std::vector<int32_t> ids, lengths;
      model.encode_word(word, ids, &lengths);
      CAPTURE(word);
      CHECK(ids == merged_naively(vocabulary, model, word));
      int64_t total = 0;
      for (int32_t length : lengths) total += length;
      CHECK(total == static_cast<int64_t>(word.size()));
    }
  }

  TEST_CASE("bytes without a token are dropped, or are the unknown token") {
    Vocabulary vocabulary;
    vocabulary.tokens = {{"a", 0}, {"b", 1}, {"ab", 2}, {"<unk>", 3}};
    vocabulary.merges = {{"a", "b"}};
    std::vector<int32_t> ids;
    BpeModel(vocabulary).encode_word("axb", ids, nullptr);
    CHECK(ids == std::vector<int32_t>{2});
    ids.clear();
    vocabulary.unknown = "<unk>";
    BpeModel(vocabulary).encode_word("axb", ids, nullptr);
    CHECK(ids == std::vector<int32_t>{0, 3, 1});
    vocabulary.unknown = "<absent>";
    CHECK_THROWS_WITH(BpeModel{vocabulary},
                      doctest::Contains("model.unk_token: \"<absent>\" is not in model.vocab"));
  }

  TEST_CASE("a megabyte of one letter takes n log n time") {
    ByteBpe tokenizer({});
    train(tokenizer, 300);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(tokenizer.encode(std::string(1 << 20, 'e'), {}).ids.size() > 1000);
    CHECK(tokenizer.encode(std::string(1 << 20, ' '), {}).ids.size() > 1000);
    CHECK(std::chrono::steady_clock::now() - begin <
          std::chrono::seconds(30));  // the quadratic way needs hours
  }

  TEST_CASE("threads encode at once and get what one thread gets") {
    ByteBpe first({}), second(config_with_bos());
    train(first, 300);
    train(second, 330);
    std::string text;
    for (int i = 0; i < 300; ++i)
      text +=
          kTexts[static_cast<size_t>(i) % kTexts.size()] + (i % 7 == 0 ? " <|endoftext|>\n" : " ");
    const Encoding expected_first = first.encode(text, {.offsets = true}),
                   expected_second = second.encode(text, {.offsets = true});
    std::vector<int> wrong(4, 0);
    std::vector<std::thread> threads;
    for (size_t t = 0; t < wrong.size(); ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 20;
             ++i) {  // in turn, so that the word cache of the thread changes owners
          wrong[t] += first.encode(text, {.offsets = true}).ids != expected_first.ids;
          wrong[t] += second.encode(text, {.offsets = true}).offsets != expected_second.offsets;
        }
      });
    for (auto& thread : threads) thread.join();
    CHECK(wrong == std::vector<int>(4, 0));
  }
}
