#include "split.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <doctest/doctest.h>

#include "mortise/fixtures.hpp"

using namespace mortise;
using transform::split::Split;

namespace {

Record record_of(std::string id, std::vector<std::string> lemmas) {
  Record record;
  record.id = std::move(id);
  record.fields["lemmas"] = Value::array();
  for (std::string& lemma : lemmas)
    record.fields["lemmas"].as_array().emplace_back(std::move(lemma));
  return record;
}

// Fits if need be, applies to all, and returns id → part.
std::map<std::string, std::string> parts(Split& split, const std::vector<Record>& records) {
  if (split.traits().needs_fit) {
    for (const Record& record : records) split.fit(record);
    split.finish_fit();
  }
  testing::MemorySink sink;
  for (const Record& record : records) split.apply(record, sink);
  std::map<std::string, std::string> out;
  for (const Record& record : sink.kept) out[record.id] = record.fields.at("split").as_string();
  return out;
}

std::map<std::string, std::string> parts(Split::Config config, const std::vector<Record>& records) {
  Split split(std::move(config));
  return parts(split, records);
}

std::vector<Record> singles(int count) {
  std::vector<Record> out;
  for (int i = 0; i < count; ++i)
    out.push_back(record_of(fmt::format("f:{}", i), {fmt::format("\xE8\xAF\x8D{}", i / 2)}));
  return out;
}

std::map<std::string, int> counts(const std::map<std::string, std::string>& parts_by_id) {
  std::map<std::string, int> out;
  for (const auto& [id, part] : parts_by_id) ++out[part];
  return out;
}

// Reads the synsets of the installed WordNet with nothing but streams: id and words of each line.
std::vector<Record> wordnet() {
  std::vector<Record> out;
  for (const char* pos : {"noun", "verb", "adj", "adv"}) {
    std::ifstream file(fmt::format("/usr/share/wordnet/data.{}", pos));
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with(' ')) continue;
      std::istringstream words(line);
      std::string offset, lex, type, count, word, lex_id;
      words >> offset >> lex >> type >> count;
      std::vector<std::string> lemmas;
      for (int i = std::stoi(count, nullptr, 16); i > 0; --i) {
        words >> word >> lex_id;
        word = word.substr(0, word.find('('));
        std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) {
          return static_cast<char>(std::tolower(c));
        });
        lemmas.push_back(word);
      }
      out.push_back(record_of(fmt::format("{}:{}", pos, offset), lemmas));
    }
  }
  return out;
}

}  // namespace

TEST_SUITE("transform.split") {
  TEST_CASE("by id: shares are met, the choice depends on seed and id only") {
    const auto records = singles(20'000);
    CHECK_FALSE(Split({}).traits().needs_fit);
    const auto first = parts({.dev = 0.1, .test = 0.2}, records);
    auto count = counts(first);
    CHECK(std::abs(count["dev"] - 2000) < 200);
    CHECK(std::abs(count["test"] - 4000) < 250);
    auto reversed = records;
    std::reverse(reversed.begin(), reversed.end());
    CHECK(parts({.dev = 0.1, .test = 0.2}, reversed) == first);
    CHECK(parts({.dev = 0.1, .test = 0.2, .seed = 2}, records) != first);
  }

  TEST_CASE("records that share a value, also through others, stay together") {
    std::vector<Record> records = singles(400);
    for (int i = 0; i < 30; ++i)
      records.push_back(record_of(fmt::format("chain:{}", i),
                                  {fmt::format("c{}", i), fmt::format("c{}", i + 1)}));
    const auto out = parts({.by = {"lemmas"}, .dev = 0.2, .test = 0.2}, records);
    for (int i = 0; i < 30; ++i)
      CHECK(out.at(fmt::format("chain:{}", i)) == "train");  // the largest component
    for (int i = 0; i < 400; i += 2)
      CHECK(out.at(fmt::format("f:{}", i)) == out.at(fmt::format("f:{}", i + 1)));
    auto count = counts(out);
    CHECK(count["dev"] == 86);
    CHECK(count["test"] == 86);
    std::reverse(records.begin(), records.end());
    CHECK(parts({.by = {"lemmas"}, .dev = 0.2, .test = 0.2}, records) == out);
    CHECK(parts({.by = {"lemmas"}, .dev = 0.2, .test = 0.2, .seed = 9}, records) != out);
  }

  TEST_CASE("values of several fields and kinds connect; a record without any stands alone") {
    std::vector<Record> records = singles(40);
    for (Record& record : records) record.fields["key"] = Value();
    records[0].fields["key"] = 7;
    records[39].fields["key"] = 7;
    records.push_back(record_of("alone", {}));
    records.back().fields["key"] = Value();
    const auto out = parts({.by = {"lemmas", "key"}, .dev = 0.25, .test = 0.25}, records);
    CHECK(out.at("f:0") == out.at("f:39"));
    CHECK(out.contains("alone"));
  }

  TEST_CASE("case counts only when asked for") {
    std::vector<Record> records = singles(40);
    for (int i = 0; i < 10; ++i) records.push_back(record_of(fmt::format("big:{}", i), {"BIG"}));
    records.push_back(record_of("small", {"big"}));
    CHECK(parts({.by = {"lemmas"}, .dev = 0.2, .test = 0.2}, records).at("small") == "train");
    int apart = 0;
    for (int64_t seed = 1; seed <= 20; ++seed)
      apart +=
          parts({.by = {"lemmas"}, .ignore_case = false, .dev = 0.2, .test = 0.2, .seed = seed},
                records)
                      .at("small") != "train"
              ? 1
              : 0;
    CHECK(apart > 0);
  }

  TEST_CASE("a record that would leak, or was never seen, stops the run") {
    Split split({.by = {"lemmas"}, .dev = 0.3, .test = 0.3});
    const auto out = parts(split, singles(100));
    std::string in_train, in_test;
    for (int i = 0; i < 100; ++i)
      (out.at(fmt::format("f:{}", i)) == "train" ? in_train : in_test) =
          fmt::format("\xE8\xAF\x8D{}", i / 2);
    testing::MemorySink sink;
    CHECK_THROWS_WITH_AS(split.apply(record_of("bad", {in_train, in_test}), sink),
                         doctest::Contains("bad: split: this record would leak"),
                         DataError);
    CHECK_THROWS_WITH_AS(split.apply(record_of("new", {"unseen"}), sink),
                         doctest::Contains("fitting did not see"),
                         DataError);
    Record without;
    without.id = "w";
    CHECK_THROWS_WITH_AS(split.apply(without, sink),
                         doctest::Contains("w: split: the field `lemmas` is missing"),
                         DataError);
  }

  TEST_CASE("a share that cannot be met says why") {
    std::vector<Record> records;
    for (int i = 0; i < 10; ++i) records.push_back(record_of(fmt::format("{}", i), {"same"}));
    CHECK_THROWS_WITH_AS(parts({.by = {"lemmas"}, .dev = 0.1, .test = 0.0}, records),
                         doctest::Contains("nothing is left for dev: by lemmas the 10 records form "
                                           "1 components, the largest of 10"),
                         DataError);
    CHECK_THROWS_WITH_AS(
        Split({.dev = 0.6, .test = 0.5}), doctest::Contains("leave something for train"), Error);
    Split empty({.by = {"lemmas"}});
    CHECK_THROWS_WITH_AS(empty.finish_fit(), doctest::Contains("there are no records"), DataError);
  }

  TEST_CASE("a loaded state splits as the saved one") {
    const auto records = singles(100);
    Split first({.by = {"lemmas"}, .dev = 0.2, .test = 0.2});
    const auto expected = parts(first, records);
    testing::MemoryState state;
    first.state(state);
    state.rewind();
    Split second({.by = {"lemmas"}, .dev = 0.2, .test = 0.2});
    second.state(state);
    testing::MemorySink sink;
    for (const Record& record : records) second.apply(record, sink);
    for (const Record& record : sink.kept)
      CHECK(record.fields.at("split").as_string() == expected.at(record.id));
    state.replace("parts", "zz");
    CHECK_THROWS_WITH_AS(second.state(state), doctest::Contains("damaged"), DataError);
  }

  TEST_CASE(
      "WordNet by lemmas: 117,659 synsets, the component of about 33,000 in train, no lemma in two "
      "parts") {
    const auto records = wordnet();
    REQUIRE(records.size() == 117'659);
    const auto out = parts({.by = {"lemmas"}, .dev = 0.02, .test = 0.02}, records);
    std::map<std::string, std::string> part_of_lemma;
    int64_t leaks = 0;
    for (const Record& record : records)
      for (const Value& lemma : record.fields.at("lemmas").as_array())
        leaks += part_of_lemma.emplace(lemma.as_string(), out.at(record.id)).first->second !=
                         out.at(record.id)
                     ? 1
                     : 0;
    CHECK(leaks == 0);
    auto count = counts(out);
    CHECK(std::abs(count["dev"] - 2353) < 10);
    CHECK(std::abs(count["test"] - 2353) < 10);

    // The component of the verb "be", counted by spreading from it: independent of union-find.
    std::map<std::string, std::vector<size_t>> by_lemma;
    for (size_t i = 0; i < records.size(); ++i)
      for (const Value& lemma : records[i].fields.at("lemmas").as_array())
        by_lemma[lemma.as_string()].push_back(i);
    std::set<size_t> seen(by_lemma["be"].begin(), by_lemma["be"].end());
    std::vector<size_t> front(seen.begin(), seen.end());
    while (!front.empty()) {
      const size_t at = front.back();
      front.pop_back();
      for (const Value& lemma : records[at].fields.at("lemmas").as_array())
        for (const size_t next : by_lemma[lemma.as_string()])
          if (seen.insert(next).second) front.push_back(next);
    }
    CHECK(seen.size() == 32'971);
    CHECK(std::all_of(
        seen.begin(), seen.end(), [&](size_t i) { return out.at(records[i].id) == "train"; }));
  }
}
