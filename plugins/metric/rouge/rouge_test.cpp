// Compares by == with numbers that rouge-score 0.1.2 and NLTK themselves wrote
// (tests/golden/metrics).
#include "rouge.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/pytext.hpp"

#include "porter.hpp"

using namespace mortise;
using metric::rouge::Rouge;
using metric::rouge::Tokenizer;

namespace {

std::string golden(const std::string& name) {
  return read_file(MORTISE_SOURCE_DIR "/tests/golden/metrics/" + name);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

struct Pair {
  std::string hypothesis;
  std::vector<std::string> references;
};

std::vector<Pair> segments() {
  std::vector<Pair> pairs;
  for (const std::string& line : lines_of(golden("segments.jsonl"))) {
    const Value value = parse_json(line);
    Pair& pair = pairs.emplace_back();
    pair.hypothesis = value.at("hyp").as_string();
    for (const Value& reference : value.at("refs").as_array())
      pair.references.push_back(reference.as_string());
  }
  return pairs;
}

Stats stats_of(const Rouge& metric,
               std::string_view hypothesis,
               std::span<const std::string> references) {
  Sample sample;
  sample.prediction = hypothesis;
  sample.references = references;
  return metric.sample(sample);
}

// A row of the golden file is [[P, R, F] × 4], the order of the statistics.
Stats row_of(const Value& row) {
  Stats out;
  for (const Value& type : row.as_array())
    for (const Value& number : type.as_array()) out.push_back(number.as_float());
  return out;
}

Stats first_twelve(const Stats& stats) { return {stats.begin(), stats.begin() + 12}; }

const Value& row_or(const Value& segment, const char* name) {
  const Value* row = segment.find(name);
  return row != nullptr ? *row : segment.at("plain");
}

std::string joined(const metric::rouge::Tokens& tokens) {
  std::string out;
  for (size_t i = 0; i < tokens.size(); ++i) out.append(i == 0 ? "" : "|").append(tokens[i]);
  return out;
}

}  // namespace

TEST_SUITE("metric.rouge") {
  TEST_CASE("each segment equals rouge-score: plain, stemmed, best of references") {
    const Value file = parse_json(golden("rouge.json"));
    const auto& expected = file.at("segments").as_array();
    const std::vector<Pair> pairs = segments();
    REQUIRE(pairs.size() == expected.size());
    const Rouge plain({}), stemmed({.use_stemmer = true});
    for (size_t i = 0; i < pairs.size(); ++i) {
      CAPTURE(i);
      const std::span<const std::string> first(pairs[i].references.data(), 1);
      CHECK(first_twelve(stats_of(plain, pairs[i].hypothesis, first)) ==
            row_of(expected[i].at("plain")));
      CHECK(first_twelve(stats_of(stemmed, pairs[i].hypothesis, first)) ==
            row_of(row_or(expected[i], "stemmed")));
      CHECK(first_twelve(stats_of(plain, pairs[i].hypothesis, pairs[i].references)) ==
            row_of(row_or(expected[i], "best_reference")));
    }
  }

  TEST_CASE("scores of a corpus are the means, F first") {
    const Value file = parse_json(golden("rouge.json"));
    const Rouge metric({});
    Stats sum(Rouge::kSize, 0.0);
    for (const Pair& pair : segments()) {
      const Stats stats = stats_of(metric, pair.hypothesis, {pair.references.data(), 1});
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += stats[i];
    }
    const auto scores = metric.compute(sum);
    const Stats mean = row_of(file.at("mean").at("plain"));
    CHECK(scores[0].name == "rouge1_f");
    CHECK(scores[3].name == "rougeLsum_f");
    CHECK(scores[4].name == "rouge1_p");
    CHECK(std::abs(scores[0].value - mean[2]) < 1e-12);
    CHECK(std::abs(scores[3].value - mean[11]) < 1e-12);
    CHECK(std::abs(scores[10].value - mean[7]) < 1e-12);
    CHECK(metric.signature_of(sum) ==
          "nrefs:1|tok:rouge_score|stemmer:no|multi:best_f|mean:plain|version:rouge_score-0.1.2");
    CHECK(metric.compute(Stats(Rouge::kSize, 0.0))[0].value == 0.0);
  }

  TEST_CASE("stems equal NLTK's for every word of the list") {
    int compared = 0;
    for (const std::string& line : lines_of(golden("stemmer.txt"))) {
      const size_t tab = line.find('\t');
      CAPTURE(line);
      CHECK(metric::rouge::porter_stem(line.substr(0, tab)) == line.substr(tab + 1));
      ++compared;
    }
    CHECK(compared > 7000);
  }

  TEST_CASE("only two characters outside ASCII become ASCII when lower-cased") {
    for (char32_t c = 0x80; c < 0x110000; ++c) {
      if (c >= 0xD800 && c < 0xE000) continue;
      std::string text = "A";
      pytext::append_utf8(text, c);
      text += "B";
      const auto tokens = metric::rouge::tokenize(Tokenizer::RougeScore, false, text);
      const char* expected = c == 0x130 ? "ai|b" : c == 0x212A ? "akb" : "a|b";
      if (joined(tokens) != expected)
        FAIL("U+", static_cast<uint32_t>(c), " gives ", joined(tokens));
      const std::string lower = pytext::lower(text);
      const bool has_ascii =
          std::any_of(lower.begin() + 1, lower.end() - 1, [](char b) { return b > 0; });
      if (has_ascii != (c == 0x130 || c == 0x212A))
        FAIL("U+", static_cast<uint32_t>(c), " lower-cases to ", lower);
    }
  }

  TEST_CASE("Chinese is scored by characters or words, not as zero") {
    const std::vector<std::string> reference{"我喜欢苹果，iPhone 15很好。"};
    CHECK(stats_of(Rouge({}), "我喜欢香蕉", reference)[2] == 0.0);
    CHECK(stats_of(Rouge({.tokenizer = "zh_char"}), "我喜欢香蕉", reference)[0] == 3.0 / 5.0);
    CHECK(stats_of(Rouge({.tokenizer = "unicode_word"}), "我喜欢香蕉", reference)[0] == 2.0 / 3.0);
    CHECK(joined(metric::rouge::tokenize(Tokenizer::ZhChar, false, reference[0])) ==
          "我|喜|欢|苹|果|iphone|15|很|好");
    CHECK(
        joined(metric::rouge::tokenize(Tokenizer::UnicodeWord, false, "Élan's été — 3.14 naïve")) ==
        "élan's|été|3.14|naïve");
    CHECK(joined(metric::rouge::tokenize(Tokenizer::UnicodeWord, true, "running été")) ==
          "run|été");
  }

  TEST_CASE("bytes that are not UTF-8 and empty texts do no harm") {
    for (const char* name : {"rouge_score", "unicode_word", "zh_char"}) {
      const Rouge metric({.tokenizer = name});
      CHECK(stats_of(metric,
                     "\xff\xfe abc\xe4\xb8",
                     std::vector<std::string>{"\xff\xfe abc\xe4\xb8"})[2] == 1.0);
      CHECK(stats_of(metric, "", std::vector<std::string>{"\n\n", ""})[2] == 0.0);
    }
    CHECK_THROWS_WITH_AS(
        stats_of(Rouge({}), "a", {}), doctest::Contains("at least one reference"), Error);
    CHECK_THROWS_WITH_AS(Rouge({.tokenizer = "zh_dict"}), doctest::Contains("got zh_dict"), Error);
  }
}
