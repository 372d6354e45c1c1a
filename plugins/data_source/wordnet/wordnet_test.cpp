#include "wordnet.hpp"

#include <doctest/doctest.h>

#include "mortise/fixtures.hpp"

#include "synset.hpp"

using namespace mortise;
using data_source::wordnet::parse_synset;
using data_source::wordnet::Synset;
using data_source::wordnet::Wordnet;

namespace {

Synset parsed(std::string_view line) {
  Synset synset;
  CHECK(parse_synset(line, synset) == "");
  return synset;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_SUITE("data_source.wordnet") {
  TEST_CASE("a line gives lemmas, definition and examples") {
    const Synset s = parsed(
        "00002137 03 n 02 abstraction 0 abstract_entity 0 010 @ 00001740 n 0000 | a general "
        "concept (as \"truth\"); \"he loved it\"; \"so did she\"- Homer  ");
    CHECK(s.offset == 2137);
    CHECK(s.lemmas == Texts{"abstraction", "abstract entity"});
    CHECK(s.definition == "a general concept (as \"truth\")");
    CHECK(s.examples == Texts{"he loved it", "so did she"});
    CHECK(s.gloss.ends_with("- Homer"));
  }

  TEST_CASE("position marks, hexadecimal counts and open quotation marks") {
    const Synset s = parsed(
        "00001740 00 a 0a able(p) 0 b 0 c 0 d 0 e 0 f 0 g 0 h 0 i 0 j(ip) 0 000 | \"one; two");
    CHECK(s.lemmas.size() == 10);
    CHECK(s.lemmas.front() == "able");
    CHECK(s.lemmas.back() == "j");
    CHECK(s.definition == "");
    CHECK(s.examples == Texts{"one; two"});
  }

  TEST_CASE("lines that are no synsets are refused with a reason") {
    Synset s;
    CHECK(parse_synset("00001740 03 n 01 entity 0 003", s) == "there is no gloss");
    CHECK(parse_synset("x 03 n 01 entity 0 | g", s) == "the offset is not a number");
    CHECK(parse_synset("1 03 n zz entity 0 | g", s) ==
          "the number of words is not a hexadecimal number above 0");
    CHECK(parse_synset("1 03 n 03 entity 0 | g", s) == "there are fewer words than announced");
    CHECK(parse_synset("1 03 n 01 entity 0 |  ", s) == "the gloss is empty");
  }

  TEST_CASE("the whole database: 117,659 synsets with the fields of the README") {
    Wordnet source({}, {});
    Record record;
    int64_t count = 0, with_examples = 0;
    while (source.next(record)) {
      if (record.id == "n:00001740") {
        CHECK(record.fields.at("lemma") == Value("entity"));
        CHECK(record.fields.at("text").as_string().starts_with(
            "that which is perceived or known or inferred"));
        CHECK(record.fields.at("pos") == Value("noun"));
        CHECK(record.fields.at("offset") == Value(1740));
      }
      with_examples += record.fields.at("examples").as_array().empty() ? 0 : 1;
      CHECK_FALSE(record.fields.at("lemmas").as_array().empty());
      ++count;
    }
    CHECK(count == 117'659);
    CHECK(with_examples > 30'000);
    CHECK(record.id.front() == 'r');
    CHECK(source.report().records == count);
  }

  TEST_CASE("a choice of parts, shards and resuming") {
    Wordnet whole({.pos = {"adv"}}, {});
    std::vector<std::string> expected;
    for (Record record; whole.next(record);) expected.push_back(record.id);
    CHECK(expected.size() == 3'621);
    size_t shards = 0;
    for (int64_t shard = 0; shard < 2; ++shard) {
      Wordnet part({.pos = {"adv"}}, {.shard = shard, .num_shards = 2});
      for (Record record; part.next(record);) ++shards;
    }
    CHECK(shards == expected.size());
    Wordnet first({.pos = {"adv"}}, {});
    Record record;
    for (int i = 0; i < 1000; ++i) first.next(record);
    testing::MemoryState state;
    first.state(state);
    state.rewind();
    Wordnet second({.pos = {"adv"}}, {});
    second.state(state);
    for (size_t i = 1000; i < expected.size(); ++i) {
      REQUIRE(second.next(record));
      REQUIRE(record.id == expected[i]);
    }
    CHECK_FALSE(second.next(record));
    second.rewind();
    REQUIRE(second.next(record));
    CHECK(record.id == expected[0]);
    CHECK(first.fingerprint() == second.fingerprint());
    CHECK(first.fingerprint() != Wordnet({.pos = {"adj"}}, {}).fingerprint());
  }

  TEST_CASE("a missing database names the Debian package, a foreign file its line") {
    CHECK_THROWS_WITH_AS(Wordnet({.directory = "/nowhere"}, {}),
                         doctest::Contains("apt-get install wordnet-base"),
                         DataError);
    const testing::TempDir folder;
    folder.put("data.adv", "  1 licence\nhello\n");
    Wordnet source({.directory = folder.path, .pos = {"adv"}}, {});
    Record record;
    CHECK_THROWS_WITH_AS(
        source.next(record),
        doctest::Contains("data.adv:2: not a synset of WordNet: there is no gloss"),
        DataError);
  }
}
