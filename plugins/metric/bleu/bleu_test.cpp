// Compares with numbers that sacrebleu 2.6.0 itself wrote (tests/golden/metrics), by ==.
#include "bleu.hpp"

#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/pytext.hpp"

using namespace mortise;
using metric::bleu::Bleu;

namespace {

struct Pair {
  std::string hypothesis;
  std::vector<std::string> references;
};

std::string golden(const std::string& name) {
  return read_file(MORTISE_SOURCE_DIR "/tests/golden/metrics/" + name);
}

std::vector<Value> golden_lines(const std::string& name) {
  std::vector<Value> lines;
  const std::string text = golden(name);
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(parse_json(std::string_view(text).substr(at, end - at), name));
    at = end + 1;
  }
  return lines;
}

std::vector<std::string> strings(const Value& value) {
  std::vector<std::string> out;
  for (const Value& item : value.as_array()) out.push_back(item.as_string());
  return out;
}

std::vector<Pair> segments() {
  std::vector<Pair> pairs;
  for (const Value& line : golden_lines("segments.jsonl"))
    pairs.push_back({line.at("hyp").as_string(), strings(line.at("refs"))});
  return pairs;
}

Bleu::Config config_of(const Value& settings) {
  Bleu::Config config;
  config.tokenizer = settings.at("tokenize").as_string();
  config.smooth = settings.at("smooth_method").as_string() == "add-k"
                      ? "add_k"
                      : settings.at("smooth_method").as_string();
  if (!settings.at("smooth_value").is_null())
    config.smooth_value = settings.at("smooth_value").as_float();
  config.lowercase = settings.at("lowercase").as_bool();
  config.effective_order = settings.at("effective_order").as_bool();
  return config;
}

Stats stats_of(const Bleu& metric, const Pair& pair) {
  Sample sample;
  sample.prediction = pair.hypothesis;
  sample.references = pair.references;
  return metric.sample(sample);
}

Stats sum_of(const Bleu& metric, const std::vector<Pair>& pairs) {
  Stats sum(Bleu::kSize, 0.0);
  for (const Pair& pair : pairs) {
    const Stats stats = stats_of(metric, pair);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += stats[i];
  }
  return sum;
}

// `expected` is a result of corpus_score().  Upstream adds k to the counts in place, also in those
// that it returns.
void check_corpus(const std::vector<Pair>& pairs, const Value& expected) {
  const Bleu::Config config = config_of(expected.at("settings"));
  CAPTURE(to_json(expected.at("settings")));
  const Bleu metric(config);
  const Stats sum = sum_of(metric, pairs);
  const auto scores = metric.compute(sum);
  CHECK(metric.signature_of(sum) == expected.at("signature").as_string());
  CHECK(scores[0].value == expected.at("score").as_float());
  CHECK(scores[5].value == expected.at("bp").as_float());
  CHECK(scores[7].value == expected.at("sys_len").as_float());
  CHECK(scores[8].value == expected.at("ref_len").as_float());
  for (size_t n = 0; n < 4; ++n) {
    CHECK(scores[1 + n].value == expected.at("precisions").as_array()[n].as_float());
    const bool added = config.smooth == "add_k" && n > 0 && expected.at("score").as_float() != 0.0;
    const double k = added ? config.smooth_value.value_or(1.0) : 0.0;
    CHECK(sum[Bleu::kCorrect + n] + k == expected.at("counts").as_array()[n].as_float());
    CHECK(sum[Bleu::kTotal + n] + k == expected.at("totals").as_array()[n].as_float());
  }
}

}  // namespace

TEST_SUITE("metric.bleu") {
  TEST_CASE("corpus scores, counts and signatures equal sacrebleu's in every setting") {
    const Value file = parse_json(golden("bleu.json"));
    const std::vector<Pair> all = segments();
    std::vector<Pair> first = all;
    for (Pair& pair : first) pair.references.resize(1);
    REQUIRE(all.size() == 1200);
    int compared = 0;
    for (const Value& expected : file.at("corpora").at("all").as_array())
      check_corpus(all, expected), ++compared;
    for (const Value& expected : file.at("corpora").at("first_reference").as_array())
      check_corpus(first, expected), ++compared;
    CHECK(compared >= 120);
  }

  TEST_CASE("small corpora equal sacrebleu's where counts, totals or lengths are zero") {
    const Value file = parse_json(golden("bleu.json"));
    for (const auto& [name, corpus] : file.at("small").as_table()) {
      CAPTURE(name);
      std::vector<Pair> pairs;
      for (const std::string& hypothesis : strings(corpus.at("hyps")))
        pairs.push_back({hypothesis, {}});
      for (size_t i = 0; i < pairs.size(); ++i)
        pairs[i].references = strings(corpus.at("refs").as_array()[i]);
      for (const Value& expected : corpus.at("results").as_array()) check_corpus(pairs, expected);
    }
  }

  TEST_CASE("sentence scores equal sacrebleu's") {
    const Value file = parse_json(golden("bleu.json"));
    const std::vector<Pair> pairs = segments();
    for (const Value& group : file.at("sentences").as_array()) {
      const Bleu metric(config_of(group.at("settings")));
      const auto& expected = group.at("scores").as_array();
      for (size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(i);
        CHECK(metric.compute(stats_of(metric, pairs[i]))[0].value == expected[i].as_float());
      }
    }
  }

  TEST_CASE("tokenizers return sacrebleu's bytes for difficult strings") {
    int compared = 0;
    for (const Value& line : golden_lines("bleu_tokens.jsonl")) {
      if (line.find("text") == nullptr) continue;
      const std::string text = line.at("text").as_string();
      CAPTURE(to_json(Value(text)));
      for (const char* name : {"13a", "zh", "char", "intl", "none"}) {
        CHECK(metric::bleu::tokenized(metric::bleu::tokenizer_named(name), pytext::rstrip(text)) ==
              line.at(name).as_string());
        ++compared;
      }
    }
    CHECK(compared >= 2000);
  }

  TEST_CASE("a sample with four references counts each n-gram as often as its best reference") {
    const Stats stats = stats_of(Bleu({}), {"a a a b", {"a", "a a", "b b", "a b a"}});
    CHECK(stats[Bleu::kCorrect] == 3);  // a twice, b once
    CHECK(stats[Bleu::kRefLen] == 3);
  }

  TEST_CASE("an empty corpus scores zero") {
    CHECK(Bleu({}).compute(Stats(Bleu::kSize, 0.0))[0].value == 0.0);
    CHECK(Bleu({}).signature_of(Stats(Bleu::kSize, 0.0)) ==
          "case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0");
  }

  TEST_CASE("mistakes are named") {
    CHECK_THROWS_WITH_AS(
        stats_of(Bleu({}), {"a", {}}), doctest::Contains("at least one reference"), Error);
    CHECK_THROWS_WITH_AS(
        Bleu({.smooth_value = 0.5}), doctest::Contains("no effect with smooth = \"exp\""), Error);
    CHECK_THROWS_WITH_AS(Bleu({.tokenizer = "14a"}),
                         doctest::Contains("expected 13a, zh, char, intl or none, got 14a"),
                         Error);
  }

  TEST_CASE("bytes that are not UTF-8 do no harm") {
    for (const char* name : {"13a", "zh", "char", "intl", "none"}) {
      const Bleu metric({.tokenizer = name});
      const Pair pair{"\xff\xfe a\xe4\xb8", {"\xff\xfe a\xe4\xb8"}};
      const Stats stats = stats_of(metric, pair);
      CHECK(stats[Bleu::kCorrect] == stats[Bleu::kTotal]);
    }
  }
}
